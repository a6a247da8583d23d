"""Texts as ciphertext that fits a text column."""

import base64

from django.conf import settings

from apps.core.ciphers.contents import key_of, seal, unseal


def encrypt(text: str, context: str) -> str:
    return base64.urlsafe_b64encode(seal(_key(), text.encode(), context.encode())).decode()


def decrypt(stored: str, context: str) -> str:
    """Raises `cryptography.exceptions.InvalidTag` for a text of another place or of another secret."""
    return unseal(_key(), base64.urlsafe_b64decode(stored), context.encode()).decode()


def _key() -> bytes:
    return key_of(settings.SECRETS_KEY, "secrets")
