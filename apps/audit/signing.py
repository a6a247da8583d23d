"""Signatures of the installation: Ed25519, under a key made from the secret `AUDIT_SIGNING_KEY`."""

import base64
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from apps.audit.documents import canonical


def public_key() -> str:
    return base64.b64encode(_private(settings.AUDIT_SIGNING_KEY).public_key().public_bytes_raw()).decode()


def signed(statement: dict[str, Any]) -> dict[str, Any]:
    """The statement with `public_key` and the `signature` over the canonical JSON of everything else."""
    statement = {**statement, "public_key": public_key()}
    signature = _private(settings.AUDIT_SIGNING_KEY).sign(canonical(statement).encode())
    return {**statement, "signature": base64.b64encode(signature).decode()}


def is_signed(statement: dict[str, Any], by: str) -> bool:
    """Whether the statement bears a signature of this public key over all of it."""
    rest = {name: value for name, value in statement.items() if name != "signature"}
    if rest.get("public_key") != by:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(by))
        key.verify(base64.b64decode(str(statement.get("signature"))), canonical(rest).encode())
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=2)
def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"audit-head:{secret}".encode()).digest())
