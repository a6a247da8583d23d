"""Exports: CSV for tables, JSON Lines for programs and for the verifier. An export is an event itself."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone, translation

from apps.audit import actions
from apps.audit.documents import canonical, contents
from apps.audit.models import AuditEvent, AuditSeal
from apps.audit.selectors import EventFilter, ReadableEvent, Scope, narrowed, readable, rows_of
from apps.audit.services.heads import head_sign
from apps.audit.services.sealing import seal_all
from apps.audit.signing import signed
from apps.audit.verification import statement_of
from apps.core import auditing, policy
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.tables import BOM, csv_lines

KIND = "modelyard.audit.export"
BATCH = 500


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Export:
    """What was asked for, fixed at its moment: rows that come later are not in it."""

    actor: Actor
    scope: Scope
    filter: EventFilter
    format: Format
    language: str
    head: dict[str, Any] | None
    last: UUID | None

    @property
    def chain(self) -> UUID | None:
        return self.scope.organization_id if self.scope.kind == "organization" else None

    @property
    def is_whole(self) -> bool:
        """A chain from its first event to the head: then the verifier looks for gaps as well."""
        return self.chain is not None and self.filter == EventFilter() and self.head is not None

    @property
    def filename(self) -> str:
        return f"audit-{self.scope.kind}-{timezone.now():%Y%m%d-%H%M%S}.{self.format}"


def export_begin(*, actor: Actor, scope: Scope, filter: EventFilter, format: Format) -> Export:
    """Notes the export, seals what is to be in it, and signs the chain's head. `export_lines` then makes its content."""
    policy.require_scope(actor, "audit.view_auditevent")
    rows_of(actor, scope)
    # A key was asked for its permissions above; the note is written as its owner.
    _note(actor=actor.without_scopes(), scope=scope, filter=filter, format=format)
    head = None
    chain = scope.organization_id if scope.kind == "organization" else None
    if chain is not None:
        seal_all(chain)
        found = head_sign(chain=chain, always=True)
        head = statement_of(found) if found else None
    last = narrowed(rows_of(actor, scope), actor, scope, filter).order_by("-pk").values_list("pk", flat=True).first()
    return Export(actor, scope, filter, format, translation.get_language() or "en", head, last)


@operation("audit.export")
def _note(*, actor: Actor, scope: Scope, filter: EventFilter, format: Format) -> None:
    """Asks for the rows first: what one may not see one cannot export."""
    rows_of(actor, scope)
    asked = {name: value for name, value in filter.as_dict().items() if value}
    auditing.record(
        actor,
        actions.EXPORTED,
        None,
        organization_id=scope.organization_id or actor.organization_id,
        project_id=scope.project_id,
        params={"format": str(format), "scope": scope.kind, "filter": asked},
        about=[scope.mention] if scope.mention else [],
    )


def export_lines(export: Export) -> Iterator[bytes]:
    """The content, piece by piece, in the language that it was asked for in."""
    lines = _csv(export) if export.format == Format.CSV else _jsonl(export)
    while True:
        # What a server does between two pieces may speak another language.
        with translation.override(export.language), timezone.override(timezone.get_default_timezone()):
            piece = next(lines, None)
        if piece is None:
            return
        yield piece


def _batches(export: Export) -> Iterator[list[tuple[ReadableEvent, AuditSeal | None]]]:
    """Events and seals are read apart: a join of them would be planned by statistics, which a table that grew a moment
    ago does not have yet, and a wrong plan took ten seconds for each batch of a chain of 100,000."""
    return _by_seal(export) if export.is_whole else _by_time(export)


def _by_time(export: Export) -> Iterator[list[tuple[ReadableEvent, AuditSeal | None]]]:
    if export.last is None:
        return
    rows = narrowed(rows_of(export.actor, export.scope), export.actor, export.scope, export.filter)
    rows, reached = rows.filter(pk__lte=export.last).order_by("pk"), UUID(int=0)
    while events := list(rows.filter(pk__gt=reached)[:BATCH]):
        yield _with_seals(export, events, AuditSeal.objects.in_bulk([event.pk for event in events]))
        reached = events[-1].pk


def _by_seal(export: Export) -> Iterator[list[tuple[ReadableEvent, AuditSeal | None]]]:
    assert export.head is not None and export.chain is not None
    reached = 0
    rows = AuditSeal.objects.filter(chain=export.chain, seq__lte=export.head["seq"]).order_by("seq")
    while seals := list(rows.filter(seq__gt=reached)[:BATCH]):
        found = AuditEvent.objects.in_bulk([seal.event_id for seal in seals])
        events = [found[seal.event_id] for seal in seals if seal.event_id in found]
        yield _with_seals(export, events, {seal.event_id: seal for seal in seals})
        reached = seals[-1].seq


def _with_seals(
    export: Export, events: list[AuditEvent], seals: Mapping[UUID, AuditSeal]
) -> list[tuple[ReadableEvent, AuditSeal | None]]:
    return [(row, seals.get(row.event.pk)) for row in readable(events, export.actor, export.scope)]


# --- CSV

COLUMNS: dict[str, Callable[[ReadableEvent], Any]] = {
    "time": lambda row: row.event.time.isoformat(),
    "action": lambda row: row.event.action,
    "label": lambda row: row.event.label,
    "sentence": lambda row: row.sentence,
    "actor_id": lambda row: row.event.actor_id,
    "actor_kind": lambda row: row.event.actor_kind,
    "actor_name": lambda row: row.actor_name,
    "actor_email": lambda row: row.actor_email,
    "actor_role": lambda row: row.event.actor_role,
    "ip": lambda row: row.ip,
    "client": lambda row: row.client,
    "via": lambda row: row.event.via,
    "request_id": lambda row: row.event.request_id,
    "organization_id": lambda row: row.event.organization_id,
    "project_id": lambda row: row.event.project_id,
    "entity_type": lambda row: row.event.entity_type,
    "entity_id": lambda row: row.event.entity_id,
    "entity_name": lambda row: row.entity_name,
    "before": lambda row: canonical(row.before) if row.before else "",
    "after": lambda row: canonical(row.after) if row.after else "",
    "facts": lambda row: canonical(row.params) if row.params else "",
    "about": lambda row: canonical(row.about) if row.about else "",
    "about_more": lambda row: row.about_more,
    "id": lambda row: row.event.pk,
    "part_of": lambda row: row.event.parent_id,
}


def _csv(export: Export) -> Iterator[bytes]:
    yield csv_lines([[*COLUMNS, "seal", "hash"]], start=BOM)
    for batch in _batches(export):
        yield csv_lines(
            [
                [*(read(row) for read in COLUMNS.values()), seal.seq if seal else "", seal.hash if seal else ""]
                for row, seal in batch
            ]
        )


# --- JSON Lines


def _jsonl(export: Export) -> Iterator[bytes]:
    digest, count = hashlib.sha256(), 0
    first = {
        "kind": KIND,
        "version": 1,
        "scope": export.scope.kind,
        "chain": str(export.chain) if export.chain else None,
        "whole": export.is_whole,
        "filter": export.filter.as_dict(),
        "time": timezone.now().isoformat(),
        "head": export.head,
    }
    piece = _line(first)
    digest.update(piece)
    yield piece
    for batch in _batches(export):
        sealed = contents([row.event.pk for row, _seal in batch])
        piece = b"".join(_line(_event(row, seal, sealed[row.event.pk])) for row, seal in batch)
        digest.update(piece)
        count += len(batch)
        yield piece
    yield _line(signed({"kind": f"{KIND}.end", "version": 1, "events": count, "sha256": digest.hexdigest()}))


def _event(row: ReadableEvent, seal: AuditSeal | None, sealed: dict[str, Any]) -> dict[str, Any]:
    """Without what was sealed where that names objects which the reader is not told of: a seal fits all of it or nothing."""
    shown = {name: read(row) for name, read in COLUMNS.items()}
    shown |= {"before": row.before, "after": row.after, "facts": row.params, "about": row.about}
    kept = {"seq": seal.seq, "previous_hash": seal.previous_hash, "hash": seal.hash} if seal else None
    plain = {
        name: value if value is None or isinstance(value, dict | list) else str(value) for name, value in shown.items()
    }
    return {**plain, "seal": kept, "sealed": None if row.about_more else sealed}


def _line(value: dict[str, Any]) -> bytes:
    return f"{canonical(value)}\n".encode()
