"""Chains to tamper with, and what somebody with the database's own rights could do to them."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit import services
from apps.audit.documents import COLUMNS, content_of, seal_hash
from apps.audit.models import AuditEvent
from apps.core.entities import uuid7

TABLES = ("audit_auditevent", "audit_auditseal", "audit_audithead")


def chain_of(organization_id: UUID, rows: int) -> UUID:
    """So many sealed events of one organization; returns its chain."""
    began = timezone.now() - timedelta(days=30)
    for start in range(0, rows, 5000):
        AuditEvent.objects.bulk_create(
            [
                AuditEvent(
                    time=began + timedelta(seconds=number),
                    organization_id=organization_id,
                    actor_id=uuid7(),
                    actor_kind="person",
                    actor_role="engineer_i",
                    via="session",
                    request_id=f"request-{number}",
                    action="project.changed",
                    entity_type="projects.project",
                    entity_id=str(uuid7()),
                    entity_name=f"Project {number}",
                    before={"name": f"Name {number}"},
                    after={"name": f"Name {number + 1}", "priority": number % 7, "rate": number / 7},
                    terms=["a:project.changed", f"r:request-{number}"],
                )
                for number in range(start, min(start + 5000, rows))
            ]
        )
    services.seal_all(organization_id)
    return organization_id


@contextmanager
def database_rights() -> Iterator[None]:
    """The triggers are out of the way, as they are for who owns the tables; all is undone at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        yield
        transaction.set_rollback(True)


def execute(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def event_at(chain: UUID, seq: int) -> UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM audit_auditseal WHERE chain = %s AND seq = %s", [chain, seq])
        return cursor.fetchone()[0]


EDITS = (
    "action = 'project.trashed'",
    "time = time + interval '1 microsecond'",
    "actor_id = gen_random_uuid()",
    "actor_role = 'admin'",
    "via = 'token'",
    "request_id = request_id || 'x'",
    "entity_id = gen_random_uuid()::text",
    "entity_name = '\"Another\"'",
    "before = '{}'",
    "after = after || '{\"priority\": 99}'",
    'params = \'{"reason": "none"}\'',
    'about = \'[{"id": "1", "name": "", "type": "projects.project"}]\'',
    "terms = '{}'",
    "project_id = gen_random_uuid()",
    "parent_id = gen_random_uuid()",
    'actor_person = \'{"process": "jobs"}\'',
    "organization_id = NULL",
)


def edit(chain: UUID, rows: int, dice: random.Random) -> str:
    seq, change = dice.randint(1, rows), dice.choice(EDITS)
    execute(f"UPDATE audit_auditevent SET {change} WHERE id = %s", event_at(chain, seq))
    return f"{change} of {seq}"


def delete(chain: UUID, rows: int, dice: random.Random) -> str:
    """In the middle: the end is `truncate`'s."""
    seq = dice.randint(1, rows - 1)
    event = event_at(chain, seq)
    execute("DELETE FROM audit_auditseal WHERE event_id = %s", event)
    execute("DELETE FROM audit_auditevent WHERE id = %s", event)
    if dice.random() < 0.5:
        # The numbers closed up again.
        execute("UPDATE audit_auditseal SET seq = -seq + 1 WHERE chain = %s AND seq > %s", chain, seq)
        execute("UPDATE audit_auditseal SET seq = -seq WHERE chain = %s AND seq < 0", chain)
    return f"delete {seq}"


def insert(chain: UUID, rows: int, dice: random.Random) -> str:
    seq = dice.randint(1, rows)
    execute("UPDATE audit_auditseal SET seq = -seq - 1 WHERE chain = %s AND seq >= %s", chain, seq)
    execute("UPDATE audit_auditseal SET seq = -seq WHERE chain = %s AND seq < 0", chain)
    columns = ", ".join(field.column for field in AuditEvent._meta.local_concrete_fields)
    fresh = uuid7()
    values = columns.replace("id", "%s", 1) if columns.startswith("id,") else columns
    execute(
        f"INSERT INTO audit_auditevent ({columns}) SELECT {values} FROM audit_auditevent WHERE id = %s",
        fresh,
        event_at(chain, seq + 1),
    )
    execute(
        "INSERT INTO audit_auditseal (event_id, chain, seq, previous_hash, hash) "
        "SELECT %s, chain, %s, previous_hash, hash FROM audit_auditseal WHERE chain = %s AND seq = %s",
        fresh,
        seq,
        chain,
        seq + 1,
    )
    return f"insert before {seq}"


def reorder(chain: UUID, rows: int, dice: random.Random) -> str:
    """Two events change places, with their hashes."""
    one, other = dice.sample(range(1, rows + 1), 2)
    execute("UPDATE audit_auditseal SET seq = 0 WHERE chain = %s AND seq = %s", chain, one)
    execute("UPDATE audit_auditseal SET seq = %s WHERE chain = %s AND seq = %s", one, chain, other)
    execute("UPDATE audit_auditseal SET seq = %s WHERE chain = %s AND seq = 0", other, chain)
    return f"reorder {one} and {other}"


def swap(chain: UUID, rows: int, dice: random.Random) -> str:
    """Two seals change their events."""
    one, other = dice.sample(range(1, rows + 1), 2)
    first, second = event_at(chain, one), event_at(chain, other)
    execute("UPDATE audit_auditseal SET event_id = %s WHERE event_id = %s", uuid7(), first)
    execute("UPDATE audit_auditseal SET event_id = %s WHERE event_id = %s", first, second)
    execute("UPDATE audit_auditseal SET event_id = %s WHERE chain = %s AND seq = %s", second, chain, one)
    return f"swap {one} and {other}"


def truncate(chain: UUID, rows: int, dice: random.Random) -> str:
    """The end is cut off, seals and events; the chain that is left is sound in itself."""
    left = dice.randint(0, rows - 1)
    execute(
        "WITH gone AS (DELETE FROM audit_auditseal WHERE chain = %s AND seq > %s RETURNING event_id) "
        "DELETE FROM audit_auditevent WHERE id IN (SELECT event_id FROM gone)",
        chain,
        left,
    )
    return f"truncate after {left}"


def rebuild(chain: UUID, rows: int, dice: random.Random) -> str:
    """An event is edited and every seal from there on made anew, as the sealer would: sound in itself."""
    seq = dice.randint(max(1, rows - 50), rows)
    execute("UPDATE audit_auditevent SET action = 'project.trashed' WHERE id = %s", event_at(chain, seq))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT seal.seq, seal.previous_hash, {COLUMNS} FROM audit_auditseal seal JOIN audit_auditevent event "
            "ON event.id = seal.event_id WHERE seal.chain = %s AND seal.seq >= %s ORDER BY seal.seq",
            [chain, seq],
        )
        found = cursor.fetchall()
    previous = found[0][1]
    for number, _before, *row in found:
        digest = seal_hash(content_of(row), number, previous)
        execute(
            "UPDATE audit_auditseal SET previous_hash = %s, hash = %s WHERE chain = %s AND seq = %s",
            previous,
            digest,
            chain,
            number,
        )
        previous = digest
    return f"rebuild from {seq}"


TAMPERINGS: tuple[Callable[[UUID, int, random.Random], str], ...] = (
    edit,
    delete,
    insert,
    reorder,
    swap,
    truncate,
    rebuild,
)
