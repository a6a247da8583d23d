"""Signed heads: the end of each chain at a moment, sent where somebody with the database's rights cannot reach."""

import io
import json
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.audit.models import AuditHead, AuditSeal
from apps.audit.signing import signed
from apps.audit.verification import HEADS_FOLDER, statement_of, unsigned_statement_of
from apps.core.operations import ingest
from apps.core.outbox import handler, put
from apps.core.storage import storage

TOPIC = "audit.head"


def heads_daily() -> int:
    """Signs the head of every chain that has grown since its last one; returns how many."""
    chains = AuditSeal.objects.filter(seq=1).values_list("chain", flat=True)
    return sum(head_sign(chain=chain) is not None for chain in chains)


@ingest("audit.head_sign")
def head_sign(*, chain: UUID, always: bool = False) -> AuditHead | None:
    """Signs where the chain ends now and sends it off; None for a chain that is empty or (unless `always`) as before."""
    last = AuditSeal.objects.filter(chain=chain).order_by("-seq").first()
    if last is None:
        return None
    earlier = AuditHead.objects.filter(chain=chain).order_by("-id").first()
    if not always and earlier is not None and earlier.seq >= last.seq:
        return None
    head = AuditHead(chain=chain, seq=last.seq, hash=last.hash, time=timezone.now())
    statement = signed(unsigned_statement_of(head))
    head.public_key, head.signature = statement["public_key"], statement["signature"]
    head.save()
    put(TOPIC, statement_of(head), group=f"audit.head:{chain}")
    return head


def head_key(statement: dict[str, Any]) -> str:
    return f"{HEADS_FOLDER}/{UUID(statement['chain'])}/{int(statement['seq']):015d}.json"


@handler(TOPIC)
def send(statement: dict[str, Any]) -> None:
    """Into the object store, whose versions and locks the database's administrator does not rule."""
    storage().put(head_key(statement), io.BytesIO(json.dumps(statement, indent=1).encode()))
