"""AES-256-GCM: a random nonce, then the ciphertext. `context` binds it to its place, for it opens in no other."""

import os
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def key_of(secret: str, purpose: str) -> bytes:
    """The 32 bytes that a secret of the installation stands for; another key for each purpose."""
    return sha256(f"{purpose}:{secret}".encode()).digest()


def seal(key: bytes, content: bytes, context: bytes = b"") -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context)


def unseal(key: bytes, sealed: bytes, context: bytes = b"") -> bytes:
    """Raises `cryptography.exceptions.InvalidTag` under another key or context, `ValueError` for what is too short."""
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
