"""Encryption at rest of small secrets that must be read again: keys of authenticator apps, secrets of providers.

`encrypt` and `decrypt` take texts, under a key derived from the secret `SECRETS_KEY`; `context` binds a text to its
place, so that one cannot be moved to another column and read there. `seal` and `unseal` are the same of bytes under a
key of the caller's. What need only be recognized (tokens, keys) is stored as a digest instead.
"""

from apps.core.ciphers.contents import key_of, seal, unseal
from apps.core.ciphers.texts import decrypt, encrypt

__all__ = ["decrypt", "encrypt", "key_of", "seal", "unseal"]
