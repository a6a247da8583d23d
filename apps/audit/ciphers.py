"""Encryption of what stands in the log: one key per person, and one per chain of events.

AES-256-GCM; a key is random and stored encrypted under the master key (secret `AUDIT_KEY`). Personal values are
`{"subject": person, "cipher": text}`. Names, values and facts of an event, personal ones in them included, are
`{"subject": chain, "document": text}` as a whole: destroying the chain's key leaves nothing to read.
"""

import base64
import hmac
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from apps.audit.models import AuditKey
from apps.core.ciphers import key_of, seal, unseal

# Bytes of a digest that a term keeps.
TERM = 9


class Keyring:
    """Keys of the people and chains that one batch of events speaks of; loads them with one query."""

    def __init__(self, subjects: Iterable[UUID], *, create: bool = False) -> None:
        wanted = set(subjects)
        self._keys: dict[UUID, bytes] = {}
        self._destroyed: set[UUID] = set()
        self._load(wanted)
        missing = sorted(wanted - set(self._keys) - self._destroyed)
        if create and missing:
            # In one order everywhere, so that two who make the same keys wait for each other and never in a circle.
            made = [AuditKey(subject_id=subject, wrapped=_new_wrapped()) for subject in missing]
            AuditKey.objects.bulk_create(made, ignore_conflicts=True)
            # Another process may have been first: its key is the one that counts.
            self._load(set(missing))

    def add(self, subjects: Iterable[UUID]) -> None:
        """Loads further keys; no query when all are here."""
        if missing := set(subjects) - set(self._keys) - self._destroyed:
            self._load(missing)

    def encrypt(self, subject: UUID, value: str) -> dict[str, str]:
        return {"subject": str(subject), "cipher": self._sealed(subject, value.encode())}

    def enclose(self, chain: UUID, value: Any) -> Any:
        """A whole JSON value under the chain's key; what is empty says nothing and stays as it is."""
        if not value:
            return value
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return {"subject": str(chain), "document": self._sealed(chain, text.encode())}

    def decrypt(self, value: Any) -> Any:
        """The value behind a `{"subject", "cipher"}` pair; None when the person was erased."""
        if not is_cipher(value):
            return value
        content = self._opened(UUID(value["subject"]), value["cipher"])
        return None if content is None else content.decode()

    def disclose(self, value: Any) -> Any:
        """The JSON value that `enclose` took; None when the chain's key was destroyed."""
        if not is_document(value):
            return value
        content = self._opened(UUID(value["subject"]), value["document"])
        return None if content is None else json.loads(content)

    def blind(self, chain: UUID, word: str) -> str | None:
        """The term that stands for a word in the events of a chain; None without the chain's key."""
        key = self._keys.get(chain)
        if key is None:
            return None
        digest = hmac.digest(key, b"term:" + word.encode(), "sha256")
        return f"w:{base64.urlsafe_b64encode(digest[:TERM]).decode()}"

    def _sealed(self, subject: UUID, content: bytes) -> str:
        key = self._keys.get(subject)
        if key is None and subject in self._destroyed:
            # What is written about the erased is erased at once.
            return ""
        return base64.b64encode(seal(self._keys[subject], content, subject.bytes)).decode()

    def _opened(self, subject: UUID, text: str) -> bytes | None:
        key = self._keys.get(subject)
        if key is None:
            return None
        try:
            return unseal(key, base64.b64decode(text), subject.bytes)
        except (InvalidTag, ValueError):
            return None

    def _load(self, subjects: set[UUID]) -> None:
        if not subjects:
            return
        master = _master()
        for row in AuditKey.objects.filter(subject_id__in=subjects):
            wrapped = bytes(row.wrapped)
            if wrapped:
                self._keys[row.subject_id] = unseal(master, wrapped)
            else:
                self._destroyed.add(row.subject_id)


def is_cipher(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"subject", "cipher"}


def is_document(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"subject", "document"}


def subjects_in(*values: Any) -> set[UUID]:
    """Ids of the people and chains whose values stand, encrypted, in these documents."""
    found: set[UUID] = set()
    for value in values:
        if is_cipher(value) or is_document(value):
            found.add(UUID(value["subject"]))
        elif isinstance(value, dict):
            found |= subjects_in(*value.values())
        elif isinstance(value, list):
            found |= subjects_in(*value)
    return found


def _new_wrapped() -> bytes:
    """A fresh key, encrypted under the master key."""
    return seal(_master(), AESGCM.generate_key(256))


def _master() -> bytes:
    return key_of(settings.AUDIT_KEY, "audit")
