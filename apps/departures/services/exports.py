"""Exports asked for, written by a worker, downloaded, and removed when they have been kept long enough."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.broker import hint_on_commit
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.core.storage import Pieces, Stored, storage
from apps.departures import actions
from apps.departures.bundles import Bundle, Member, json_lines
from apps.departures.contributions import Document, Part, contributions
from apps.departures.models import ExportState, OrganizationExport
from apps.departures.services.mailing import mail_put
from apps.organizations.models import Organization

log = logging.getLogger(__name__)

KIND = "modelyard.organization.export"
# A hint that has not been followed for so long was lost.
LOST_AFTER = timedelta(minutes=2)
# A worker that has not given a sign of life for so long is dead; another one begins anew. The end of a large file on its
# way to a bucket is one call without any.
SILENT_AFTER = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=2)
MOST_ATTEMPTS = 3


@operation("departures.export_request", permission="departures.add_organizationexport", on="organization")
def export_request(*, actor: Actor, organization: Organization) -> OrganizationExport:
    """Has the organization exported by a worker. One at a time: `Conflict` (`export_running`) while one is written."""
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if OrganizationExport.objects.live().filter(organization=organization).exists():
        raise Conflict(
            _("An export of this organization is being written already."),
            code="export_running",
            hint=_("It is listed here when it is ready."),
        )
    export = OrganizationExport.objects.create(organization=organization, requested_by=actor.user)
    hint_on_commit("departures.export", export.pk, queue="io")
    auditing.record(actor, actions.EXPORT_REQUESTED, organization, organization_id=organization.pk, about=[export])
    return export


@operation("departures.export_download", permission="departures.view_organizationexport", on="export")
def export_download(*, actor: Actor, export: OrganizationExport) -> Iterator[bytes]:
    """Notes the download; returns the file's pieces. Raises `Conflict` before it is ready and after it has expired."""
    export = OrganizationExport.objects.select_related("organization").get(pk=export.pk)
    if not export.is_there:
        gone = export.state in (ExportState.READY, ExportState.EXPIRED)
        raise Conflict(
            _("This export is not kept any more.") if gone else _("This export is not ready."),
            code="export_expired" if gone else "export_not_ready",
            hint=_("Ask for another one.") if gone else "",
        )
    organization = export.organization
    auditing.record(actor, actions.EXPORT_DOWNLOADED, organization, organization_id=organization.pk, about=[export])
    return _content(export.key)


def _content(key: str) -> Iterator[bytes]:
    yield from storage().open(key)


# --- Writing it


class Superseded(Exception):
    """Another worker has taken over, or the organization is gone."""


def exports_waiting() -> int:
    """Writes the exports whose hint was lost or whose worker died; returns how many."""
    now = timezone.now()
    rows = OrganizationExport.objects.filter(state=ExportState.WAITING, created_at__lt=now - LOST_AFTER)
    rows |= OrganizationExport.objects.filter(state=ExportState.RUNNING, heartbeat_at__lt=now - SILENT_AFTER)
    found = list(rows.order_by("pk").values_list("pk", flat=True))
    for pk in found:
        export_run(pk)
    return len(found)


def export_run(pk: UUID) -> None:
    """Writes the export, unless another worker does. Idempotent: what was written before is replaced."""
    export = export_begin(pk=pk)
    if export is None:
        return
    try:
        actor = _actor_of(export)
        with translation.override(actor.user.language if actor.user else settings.LANGUAGE_CODE):
            stored = storage().put(export.key, cast(BinaryIO, Pieces(_pieces(export, actor))))
    except Superseded:
        storage().delete(export.key)
    except NoRight:
        export_fail(export=export, failure="no_right")
    except Exception:
        log.exception("the export %s failed", export.pk)
        storage().delete(export.key)
        export_fail(export=export, failure="broken")
    else:
        if not export_finish(export=export, stored=stored):
            storage().delete(export.key)


class NoRight(Exception):
    """Who asked for the export may not have it any more."""


def _actor_of(export: OrganizationExport) -> Actor:
    """The person as they stand now; what they lost since they asked, they do not get."""
    user = export.requested_by
    if user is None or not user.is_active:
        raise NoRight
    actor = Actor.of(user, organization_id=export.organization_id)
    if not policy.allows(actor, "departures.add_organizationexport", export.organization):
        raise NoRight
    return actor


def _pieces(export: OrganizationExport, actor: Actor) -> Iterator[bytes]:
    organization = export.organization
    bundle = Bundle(
        {
            "kind": KIND,
            "version": 1,
            "organization": {"id": organization.pk, "name": str(organization)},
            "requested_at": export.created_at,
            "begun_at": timezone.now(),
        }
    )
    found = contributions()
    work: list[tuple[str, Part | Document]] = [(f"{part.name}.jsonl", part) for app in found for part in app.parts]
    work += [(document.name, document) for app in found for document in app.documents]
    progress = _Progress(export, len(work))
    for name, wanted in work:
        progress.begin(name)
        member = Member(name)
        if isinstance(wanted, Part):
            member.rows, member.fields = 0, wanted.fields
            lines = json_lines(wanted.rows(organization.pk), _counter(member, progress))
            yield from bundle.add(member, lines)
        else:
            yield from bundle.add(member, progress.watched(wanted.content(actor, organization.pk)))
        progress.end()
    yield from bundle.close()


def _counter(member: Member, progress: "_Progress") -> Any:
    def count(rows: int) -> None:
        member.rows = (member.rows or 0) + rows
        progress.count(rows)

    return count


class _Progress:
    """Notes every few seconds how far it is: the sign of life, and what the page shows."""

    def __init__(self, export: OrganizationExport, parts: int) -> None:
        self.export = export
        self.export.part_count = parts
        self._noted = timezone.now()

    def begin(self, name: str) -> None:
        self.export.part = name
        self._note()

    def end(self) -> None:
        self.export.parts_done += 1

    def count(self, rows: int) -> None:
        self.export.row_count += rows
        self._note_sometimes()

    def watched(self, pieces: Any) -> Iterator[bytes]:
        for piece in pieces:
            self._note_sometimes()
            yield piece

    def _note_sometimes(self) -> None:
        if timezone.now() - self._noted > HEARTBEAT:
            self._note()

    def _note(self) -> None:
        self._noted = timezone.now()
        if not export_note(export=self.export):
            raise Superseded


@ingest("departures.export_begin")
def export_begin(*, pk: UUID) -> OrganizationExport | None:
    """Takes the export for this worker; None when there is nothing to do, or somebody else is at it."""
    rows = OrganizationExport.objects.select_for_update(of=("self",)).select_related("organization", "requested_by")
    export = rows.filter(pk=pk).first()
    now = timezone.now()
    if export is None or not export.is_live:
        return None
    if export.state == ExportState.RUNNING and export.heartbeat_at and export.heartbeat_at > now - SILENT_AFTER:
        return None
    if export.attempt >= MOST_ATTEMPTS:
        export.change(state=ExportState.FAILED, failure="interrupted", finished_at=now)
        return None
    export.change(
        state=ExportState.RUNNING,
        attempt=export.attempt + 1,
        heartbeat_at=now,
        part="",
        parts_done=0,
        row_count=0,
    )
    return export


def _mine(export: OrganizationExport) -> Any:
    """The row, as long as this attempt is the one that counts."""
    return OrganizationExport.objects.filter(pk=export.pk, state=ExportState.RUNNING, attempt=export.attempt)


@ingest("departures.export_note")
def export_note(*, export: OrganizationExport) -> bool:
    """False: this worker's attempt does not count any more."""
    updated: int = _mine(export).update(
        heartbeat_at=timezone.now(),
        part=export.part,
        parts_done=export.parts_done,
        part_count=export.part_count,
        row_count=export.row_count,
    )
    return bool(updated)


@ingest("departures.export_finish")
def export_finish(*, export: OrganizationExport, stored: Stored) -> bool:
    """False: another attempt has taken over meanwhile."""
    now = timezone.now()
    finished: int = _mine(export).update(
        state=ExportState.READY,
        part="",
        parts_done=export.part_count,
        byte_count=stored.size,
        sha256=stored.sha256,
        row_count=export.row_count,
        finished_at=now,
        expires_at=now + timedelta(days=settings.ORGANIZATION_EXPORT_DAYS),
        updated_at=now,
        version=F("version") + 1,
    )
    if finished and export.requested_by is not None:
        mail_put("export_ready", export.requested_by, export=export.pk)
    return bool(finished)


@ingest("departures.export_fail")
def export_fail(*, export: OrganizationExport, failure: str) -> None:
    now = timezone.now()
    _mine(export).update(state=ExportState.FAILED, failure=failure, finished_at=now, updated_at=now)


# --- Sweeping


def exports_sweep() -> int:
    """Removes files that were kept long enough; returns how many."""
    found = list(OrganizationExport.objects.overdue(timezone.now())[:500])
    for export in found:
        storage().delete(export.key)
        export_expire(pk=export.pk)
    return len(found)


@ingest("departures.export_expire")
def export_expire(*, pk: UUID) -> None:
    """Its line in the history stays."""
    rows = OrganizationExport.objects.filter(pk=pk, state=ExportState.READY)
    rows.update(state=ExportState.EXPIRED, updated_at=timezone.now(), version=F("version") + 1)
