"""Texts as ciphertext that fits a text column."""

import base64
import os
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE = 12


def encrypt(text: str, context: str) -> str:
    nonce = os.urandom(NONCE)
    return base64.urlsafe_b64encode(nonce + _cipher().encrypt(nonce, text.encode(), context.encode())).decode()


def decrypt(stored: str, context: str) -> str:
    """Raises `cryptography.exceptions.InvalidTag` for a text of another place or of another secret."""
    content = base64.urlsafe_b64decode(stored)
    return _cipher().decrypt(content[:NONCE], content[NONCE:], context.encode()).decode()


def _cipher() -> AESGCM:
    return AESGCM(sha256(f"secrets:{settings.SECRETS_KEY}".encode()).digest())
