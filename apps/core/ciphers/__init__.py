"""Encryption at rest of small secrets that must be read again: keys of authenticator apps, secrets of providers.

AES-256-GCM under a key derived from the secret `SECRETS_KEY`; `context` binds a text to its place, so that one cannot
be moved to another column and read there. What need only be recognized (tokens, keys) is stored as a digest instead.
"""

from apps.core.ciphers.texts import decrypt, encrypt

__all__ = ["decrypt", "encrypt"]
