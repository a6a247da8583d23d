"""Encryption at rest of what must be given out again: answers kept for repeated requests.

AES-256-GCM under a key derived from the secret `API_KEY_SECRET`; `context` binds a text to its place, so that one
cannot be moved to another row and read there.
"""

import os
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE = 12


def encrypt(content: bytes, context: str) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + _cipher().encrypt(nonce, content, context.encode())


def decrypt(stored: bytes, context: str) -> bytes:
    """Raises `cryptography.exceptions.InvalidTag` for a text of another place or of another secret."""
    return _cipher().decrypt(stored[:NONCE], stored[NONCE:], context.encode())


def _cipher() -> AESGCM:
    return AESGCM(sha256(f"apikeys:{settings.API_KEY_SECRET}".encode()).digest())
