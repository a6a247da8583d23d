"""How far an export is: what its worker takes, notes and leaves behind in the row."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from apps.core.operations import ingest
from apps.core.storage import Stored
from apps.datasets.models import ACTIVE_EXPORTS, Export, ExportState

MOST_ATTEMPTS = 3


@ingest("datasets.export_begin")
def export_begin(*, export_id: UUID) -> Export | None:
    """Takes the export for this worker; None when there is nothing to do."""
    rows = Export.objects.select_for_update(of=("self",)).select_related("dataset", "revision", "split_plan")
    export = rows.filter(pk=export_id, state__in=ACTIVE_EXPORTS).first()
    if export is None:
        return None
    now = timezone.now()
    if export.dataset.deleted_at is not None:
        export.change(state=ExportState.CANCELLED, progress={}, ended_at=now)
        return None
    if export.attempt >= MOST_ATTEMPTS:
        export.change(state=ExportState.FAILED, failure="interrupted", progress={}, ended_at=now)
        return None
    export.change(state=ExportState.RUNNING, attempt=export.attempt + 1, progress={})
    return export


@ingest("datasets.export_note")
def export_note(*, export: Export, progress: dict[str, Any]) -> bool:
    """False: it is wanted no more. Of a dataset in the trash it ends here."""
    rows = Export.objects.filter(pk=export.pk, state=ExportState.RUNNING)
    if rows.filter(dataset__deleted_at__isnull=False).exists():
        rows.update(state=ExportState.CANCELLED, progress={}, ended_at=timezone.now(), version=F("version") + 1)
        return False
    return bool(rows.update(progress=progress, losses=export.losses, updated_at=timezone.now()))


@ingest("datasets.export_finish")
def export_finish(*, export: Export, stored: Stored) -> bool:
    """False: it was cancelled or deleted meanwhile."""
    now = timezone.now()
    finished = Export.objects.filter(pk=export.pk, state=ExportState.RUNNING).update(
        state=ExportState.READY,
        progress={},
        image_count=export.image_count,
        object_count=export.object_count,
        file_count=export.file_count,
        left_out_count=export.left_out_count,
        losses=export.losses,
        byte_count=stored.size,
        sha256=stored.sha256,
        ended_at=now,
        expires_at=now + timedelta(days=settings.DATASET_EXPORT_DAYS),
        updated_at=now,
        version=F("version") + 1,
    )
    return bool(finished)


@ingest("datasets.export_fail")
def export_fail(*, export: Export, failure: str) -> None:
    """Ends an export that could not be made; nothing of it is left."""
    rows = Export.objects.filter(pk=export.pk, state=ExportState.RUNNING)
    now = timezone.now()
    rows.update(
        state=ExportState.FAILED,
        failure=failure,
        progress={},
        ended_at=now,
        updated_at=now,
        version=F("version") + 1,
    )


@ingest("datasets.exports_expire")
def exports_expire() -> int:
    """Ends exports that were kept long enough; their lines in the list stay."""
    now = timezone.now()
    rows = Export.objects.overdue(now)
    return rows.update(state=ExportState.EXPIRED, updated_at=now, version=F("version") + 1)
