"""Storing events, and sealing them."""

import hashlib
import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.functional import Promise

from apps.audit.ciphers import Keyring
from apps.audit.models import AuditEvent, AuditSeal
from apps.core.auditing import AuditRecord, Personal
from apps.core.identity import Actor
from apps.core.operations import ingest

# The chain of events that belong to no organization.
PLATFORM = UUID(int=0)
GENESIS = "0" * 64
SEALED_FIELDS = [
    "id",
    "parent_id",
    "time",
    "organization_id",
    "project_id",
    "actor_id",
    "actor_kind",
    "actor_role",
    "actor_person",
    "via",
    "request_id",
    "action",
    "entity_type",
    "entity_id",
    "entity_name",
    "before",
    "after",
    "params",
]


def store(records: list[AuditRecord]) -> None:
    """The sink: writes the events of one operation in its transaction, personal values encrypted."""
    subjects = {record.actor.user_id for record in records if record.actor.user_id}
    for record in records:
        for value in (record.entity_name, *record.before.values(), *record.after.values(), *record.params.values()):
            if isinstance(value, Personal):
                subjects.add(value.subject_id)
    keys = Keyring(subjects, create=True)
    AuditEvent.objects.bulk_create([_event(record, keys) for record in records])


@ingest("audit.seal")
def seal(*, limit: int = 5000) -> int:
    """Gives unsealed events their place in their chains; returns how many. One pass at a time.

    Events are taken by missing seal, never by id: commits do not come in the order of ids.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('audit.seal'))")
        if not cursor.fetchone()[0]:
            return 0
    waiting = list(AuditEvent.objects.filter(seal__isnull=True).order_by("id")[:limit])
    chains = {event.organization_id or PLATFORM for event in waiting}
    heads = {
        head.chain: (head.seq, head.hash)
        for head in AuditSeal.objects.filter(chain__in=chains).order_by("chain", "-seq").distinct("chain")
    }
    seals = []
    for event in waiting:
        chain = event.organization_id or PLATFORM
        seq, previous = heads.get(chain, (0, GENESIS))
        digest = seal_hash(event, seq + 1, previous)
        seals.append(AuditSeal(event=event, chain=chain, seq=seq + 1, previous_hash=previous, hash=digest))
        heads[chain] = (seq + 1, digest)
    AuditSeal.objects.bulk_create(seals, batch_size=1000)
    return len(seals)


def seal_hash(event: AuditEvent, seq: int, previous: str) -> str:
    """SHA-256 over canonical JSON of the previous hash, the number and the event."""
    content = {name: _plain(getattr(event, name)) for name in SEALED_FIELDS}
    text = json.dumps([previous, seq, content], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def broken_seals(chain: UUID) -> list[int]:
    """Numbers of the seals in a chain that do not fit their event or their predecessor; empty for a sound chain."""
    broken, previous, expected = [], GENESIS, 1
    with transaction.atomic():
        seals = AuditSeal.objects.filter(chain=chain).select_related("event").order_by("seq")
        for found in seals.iterator(chunk_size=2000):
            sound = found.seq == expected and found.previous_hash == previous
            if not sound or found.hash != seal_hash(found.event, found.seq, previous):
                broken.append(found.seq)
            previous, expected = found.hash, found.seq + 1
    return broken


def _event(record: AuditRecord, keys: Keyring) -> AuditEvent:
    actor = record.actor
    return AuditEvent(
        id=record.id,
        parent_id=record.parent_id,
        time=record.time,
        organization_id=record.organization_id,
        project_id=record.project_id,
        actor_id=actor.user_id,
        actor_kind="system" if actor.is_system else "person" if actor.is_authenticated else "anonymous",
        actor_role=actor.memberships.get(record.organization_id, "") if record.organization_id else "",
        actor_person=_person(actor, keys),
        via=actor.via,
        request_id=actor.request_id,
        action=record.action,
        entity_type=record.entity_type,
        entity_id=record.entity_id,
        entity_name=_stored(record.entity_name, keys),
        before={key: _stored(value, keys) for key, value in record.before.items()},
        after={key: _stored(value, keys) for key, value in record.after.items()},
        params={key: _stored(value, keys) for key, value in record.params.items()},
    )


def _person(actor: Actor, keys: Keyring) -> dict[str, Any]:
    if actor.user is None:
        return {"process": actor.process} if actor.process else {}
    values = {"email": actor.user.email, "name": actor.user.name, "ip": actor.ip, "client": actor.user_agent}
    return {name: keys.encrypt(actor.user.pk, value) for name, value in values.items() if value}


def _stored(value: Any, keys: Keyring) -> Any:
    if isinstance(value, Personal):
        return keys.encrypt(value.subject_id, value.value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value as it is written to JSON, the same before and after a round through the database."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Promise):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)
