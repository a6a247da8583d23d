"""The text of a key: `myk_`, eight letters that name the secret, 32 that keep it, six that check the rest.

The prefix lets scanners find a key that was committed or pasted (`myk_[0-9A-Za-z]{46}`); the check, a CRC-32, lets them
drop what only looks like one, and lets us refuse a mistyped key without asking the database. What is stored is
HMAC-SHA256 under `API_KEY_SECRET`: who reads the database can neither use a key nor try guesses against it.
"""

import hmac
import re
import secrets
import string
import zlib
from hashlib import sha256

from django.conf import settings

from apps.core.api.authentication import KEY_PREFIX

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
NAME_LETTERS, SECRET_LETTERS, CHECK_LETTERS = 8, 32, 6
#: How much of a secret is stored and shown, so that people can tell keys apart.
SHOWN = len(KEY_PREFIX) + NAME_LETTERS
FORM = re.compile(rf"{KEY_PREFIX}[0-9A-Za-z]{{{NAME_LETTERS + SECRET_LETTERS + CHECK_LETTERS}}}", re.ASCII)


def new_secret() -> str:
    """A fresh key; 190 bits of it are secret."""
    letters = "".join(secrets.choice(ALPHABET) for _number in range(NAME_LETTERS + SECRET_LETTERS))
    return f"{KEY_PREFIX}{letters}{_check(KEY_PREFIX + letters)}"


def is_well_formed(text: str) -> bool:
    """Whether the text has the form of a key and its check fits."""
    return bool(FORM.fullmatch(text)) and _check(text[:-CHECK_LETTERS]) == text[-CHECK_LETTERS:]


def digest_of(text: str) -> str:
    """What is stored of a key."""
    return hmac.new(settings.API_KEY_SECRET.encode(), text.encode(), sha256).hexdigest()


def _check(text: str) -> str:
    number, letters = zlib.crc32(text.encode()), ""
    for _number in range(CHECK_LETTERS):
        number, rest = divmod(number, len(ALPHABET))
        letters = ALPHABET[rest] + letters
    return letters
