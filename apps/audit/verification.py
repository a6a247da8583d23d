"""Verification of a chain. *Integrity*: every sealed event is what was sealed, in its place. *Completeness*: nothing is
missing at the end, against heads that were signed earlier, and nothing waits without a seal for ever."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.documents import GENESIS, PLATFORM, SEALED_FIELDS, sealed_rows, sealed_text
from apps.audit.models import AuditHead, AuditSeal, AuditWaiting
from apps.audit.signing import is_signed, public_key
from apps.core.storage import ObjectNotFound, storage

ORGANIZATION = SEALED_FIELDS.index("organization_id")
HEAD_KIND = "modelyard.audit.head"
# In the object store; a chain each below it.
HEADS_FOLDER = "audit/heads"
# Numbers that a report names; more are counted.
NAMED = 50
# The sealer comes every ten seconds.
LATE = timedelta(hours=1)
TRIGGERS = {
    "audit_event_append_only",
    "audit_event_no_truncate",
    "audit_event_waits",
    "audit_head_append_only",
    "audit_head_no_truncate",
    "audit_seal_append_only",
    "audit_seal_no_truncate",
}


@dataclass
class Verification:
    """What was found in one chain."""

    chain: UUID
    events: int = 0
    last_hash: str = GENESIS
    broken: list[int] = field(default_factory=list)
    broken_count: int = 0
    unsealed: int = 0
    # Without a seal, and the sealer will not come: it was taken off its list, or the sealer stands still.
    forgotten: int = 0
    heads: int = 0
    # Signed earlier for a number that the chain does not reach, or reaches with another hash.
    missing_heads: list[int] = field(default_factory=list)
    changed_heads: list[int] = field(default_factory=list)
    forged_heads: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_intact(self) -> bool:
        return self.broken_count == 0 and not self.changed_heads

    @property
    def is_complete(self) -> bool:
        return not (self.missing_heads or self.changed_heads or self.forged_heads or self.forgotten)

    @property
    def is_sound(self) -> bool:
        return self.is_intact and self.is_complete

    @property
    def findings(self) -> dict[str, Any]:
        return {
            "broken": self.broken,
            "broken_count": self.broken_count,
            "forgotten": self.forgotten,
            "missing_heads": self.missing_heads[:NAMED],
            "changed_heads": self.changed_heads[:NAMED],
            "forged_heads": self.forged_heads[:NAMED],
        }


def verify(chain: UUID, heads: Iterable[dict[str, Any]] = ()) -> Verification:
    """Reads the whole chain once and compares it with the heads given and those that the portal keeps."""
    found, began = Verification(chain), time.perf_counter()
    with transaction.atomic():
        expected = _expected(found, [*heads, *kept_heads(chain), *stored_heads(chain)])
        _walk(found, expected)
        found.unsealed, found.forgotten = _unsealed(chain)
    found.missing_heads = sorted(seq for seq in expected if seq > found.events)
    found.seconds = time.perf_counter() - began
    return found


def chains() -> list[UUID]:
    """Every chain that has a seal or an event waiting for one, the platform's first."""
    known = set(AuditSeal.objects.filter(seq=1).values_list("chain", flat=True))
    known |= set(AuditWaiting.objects.order_by().values_list("chain", flat=True).distinct())
    # A chain whose first seal is gone, or that lost all of them, is known by its heads.
    known |= set(AuditHead.objects.order_by().values_list("chain", flat=True).distinct())
    return sorted(known)


def unguarded() -> list[str]:
    """Names of the triggers that refuse changes but are gone or switched off in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgname = ANY(%s) AND tgenabled IN ('O', 'A')", [list(TRIGGERS)]
        )
        return sorted(TRIGGERS - {name for (name,) in cursor.fetchall()})


def kept_heads(chain: UUID) -> list[dict[str, Any]]:
    """The heads in the database."""
    return [statement_of(head) for head in AuditHead.objects.filter(chain=chain)]


def statement_of(head: AuditHead) -> dict[str, Any]:
    """A head in the form in which it was signed and leaves the portal."""
    return {**unsigned_statement_of(head), "public_key": head.public_key, "signature": head.signature}


def unsigned_statement_of(head: AuditHead) -> dict[str, Any]:
    """The same before it is signed; the public key is added with the signature, which covers it."""
    return {
        "kind": HEAD_KIND,
        "version": 1,
        "chain": str(head.chain),
        "seq": head.seq,
        "hash": head.hash,
        "time": head.time.isoformat(),
    }


def stored_heads(chain: UUID) -> list[dict[str, Any]]:
    """The heads in the object store. One that cannot be read there counts as forged."""
    found = []
    for key in storage().keys(f"{HEADS_FOLDER}/{chain}"):
        try:
            statement = json.loads(storage().read(key))
        except (ObjectNotFound, ValueError):
            statement = {}
        found.append(statement if isinstance(statement, dict) else {})
    return found


def _expected(found: Verification, heads: Iterable[dict[str, Any]]) -> dict[int, set[str]]:
    """Number → hashes that signed heads name for it; heads of other chains and forged ones are left out, and noted."""
    expected: dict[int, set[str]] = defaultdict(set)
    trusted = public_key()
    for head in heads:
        if head.get("chain") not in (None, str(found.chain)):
            continue
        found.heads += 1
        if is_signed(head, trusted):
            expected[int(head["seq"])].add(str(head["hash"]))
        else:
            found.forged_heads.append(int(head["seq"]) if str(head.get("seq")).isdigit() else 0)
    return expected


def _walk(found: Verification, expected: dict[int, set[str]]) -> None:
    previous, number = GENESIS, 1
    organization = None if found.chain == PLATFORM else str(found.chain)
    for seq, before, digest, event in sealed_rows(found.chain):
        sound = (
            seq == number
            and before == previous
            and event is not None
            and event[ORGANIZATION] == organization
            and digest == sha256(sealed_text(event, seq, previous).encode()).hexdigest()
        )
        if not sound:
            found.broken_count += 1
            if len(found.broken) < NAMED:
                found.broken.append(seq)
        if seq in expected and expected[seq] != {digest}:
            found.changed_heads.append(seq)
        previous, number = digest, seq + 1
        found.events = max(found.events, seq)
    found.last_hash = previous


def _unsealed(chain: UUID) -> tuple[int, int]:
    """Events of the chain without a seal: all, and those that should have had one long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE waiting.event_id IS NULL OR event.time < %s) "
            "FROM audit_auditevent event LEFT JOIN audit_auditseal seal ON seal.event_id = event.id "
            "LEFT JOIN audit_auditwaiting waiting ON waiting.event_id = event.id "
            "WHERE seal.event_id IS NULL AND coalesce(event.organization_id, %s) = %s",
            [timezone.now() - LATE, PLATFORM, chain],
        )
        unsealed, forgotten = cursor.fetchone()
    return unsealed, forgotten
