"""Encryption at rest of what must be given out again: answers kept for repeated requests.

The key is derived from the secret `API_KEY_SECRET`; `context` binds a content to its place, so that one cannot be moved
to another row and read there.
"""

from django.conf import settings

from apps.core.ciphers import key_of, seal, unseal


def encrypt(content: bytes, context: str) -> bytes:
    return seal(_key(), content, context.encode())


def decrypt(stored: bytes, context: str) -> bytes:
    """Raises `cryptography.exceptions.InvalidTag` for a content of another place or of another secret."""
    return unseal(_key(), stored, context.encode())


def _key() -> bytes:
    return key_of(settings.API_KEY_SECRET, "apikeys")
