"""Encryption of personal values, one key per person.

AES-256-GCM; a person's key is random and stored encrypted under the master key (secret `AUDIT_KEY`).
"""

import base64
import os
from collections.abc import Iterable
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from apps.audit.models import PersonKey

NONCE = 12


class Keyring:
    """Keys of the people that one batch of events speaks of; loads them with one query."""

    def __init__(self, subjects: Iterable[UUID], *, create: bool = False) -> None:
        wanted = set(subjects)
        self._keys: dict[UUID, AESGCM] = {}
        self._load(wanted)
        missing = wanted - set(self._keys)
        if create and missing:
            PersonKey.objects.bulk_create(
                [PersonKey(subject_id=subject, wrapped=_wrap(AESGCM.generate_key(256))) for subject in missing],
                ignore_conflicts=True,
            )
            # Another process may have been first: its key is the one that counts.
            self._load(missing)

    def encrypt(self, subject: UUID, value: str) -> dict[str, str]:
        nonce = os.urandom(NONCE)
        cipher = nonce + self._keys[subject].encrypt(nonce, value.encode(), subject.bytes)
        return {"subject": str(subject), "cipher": base64.b64encode(cipher).decode()}

    def decrypt(self, value: Any) -> Any:
        """The value behind a `{"subject", "cipher"}` pair; None when the person was erased."""
        if not is_cipher(value):
            return value
        subject = UUID(value["subject"])
        key = self._keys.get(subject)
        if key is None:
            return None
        content = base64.b64decode(value["cipher"])
        try:
            return key.decrypt(content[:NONCE], content[NONCE:], subject.bytes).decode()
        except InvalidTag:
            return None

    def _load(self, subjects: set[UUID]) -> None:
        for row in PersonKey.objects.filter(subject_id__in=subjects):
            self._keys[row.subject_id] = AESGCM(_unwrap(bytes(row.wrapped)))


def is_cipher(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"subject", "cipher"}


def subjects_in(*values: Any) -> set[UUID]:
    """Ids of the people whose values stand, encrypted, in these documents."""
    found: set[UUID] = set()
    for value in values:
        if is_cipher(value):
            found.add(UUID(value["subject"]))
        elif isinstance(value, dict):
            found |= subjects_in(*value.values())
    return found


def _master() -> AESGCM:
    return AESGCM(sha256(f"audit:{settings.AUDIT_KEY}".encode()).digest())


def _wrap(key: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + _master().encrypt(nonce, key, None)


def _unwrap(wrapped: bytes) -> bytes:
    return _master().decrypt(wrapped[:NONCE], wrapped[NONCE:], None)
