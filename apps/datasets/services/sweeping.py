"""Tidying up: uploads given up, folders that nobody needs, messages that were lost, objects that no row names."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core.operations import ingest
from apps.core.storage import storage
from apps.core.storage.locks import blobs_alone
from apps.datasets.folders import UploadFolder, exports_root, untouched, uploads_root
from apps.datasets.models import (
    ACTIVE_EXPORTS,
    BUSY_UPLOADS,
    ENDED_UPLOADS,
    DirectFile,
    Export,
    ExportState,
    Revision,
    Upload,
    UploadState,
)
from apps.datasets.selectors.naming import digests_named
from apps.datasets.services import messages
from apps.datasets.services.blobs import noted_digests
from apps.datasets.services.collecting import collect, delete_objects
from apps.datasets.services.direct import remove_files
from apps.datasets.services.export_states import exports_expire
from apps.datasets.services.exports import ARCHIVES
from apps.datasets.services.locks import upload_lock

GIVEN_UP_AFTER = timedelta(hours=24)
ASKED_AGAIN_AFTER = timedelta(minutes=1)
DECODING_ASKED_AGAIN_AFTER = timedelta(minutes=10)
FOLDER_SECONDS = 3600.0
#: As often as beat asks for a pass.
PASS_SECONDS = 60.0
TASKS = {
    UploadState.FETCHING: "datasets.fetch",
    UploadState.ANALYSING: "datasets.read",
    UploadState.PUBLISHING: "datasets.store",
}
BATCH = 500


def sweep() -> dict[str, int]:
    """One idempotent pass; returns what it did. Run by beat, and safe beside anything else."""
    return {
        "given_up": _give_up(before=timezone.now() - GIVEN_UP_AFTER),
        "asked_again": _ask_again(),
        "decodings_asked_again": _ask_again_for_decodings(),
        "swept": sum(_sweep_upload(upload) for upload in _ended()),
        "folders": _remove_strays(),
        "sent": remove_files(DirectFile.objects.filter(upload__isnull=True)[:BATCH]),
        "objects": collect(),
        "exports_asked_again": _ask_again_for_exports(),
    }


@ingest("datasets.uploads_give_up")
def _give_up(*, before: object) -> int:
    """Uploads that nobody has touched for a day are cancelled."""
    idle = Upload.objects.filter(updated_at__lt=before).exclude(state__in=(*BUSY_UPLOADS, *ENDED_UPLOADS))
    return idle.update(state=UploadState.CANCELLED, updated_at=timezone.now(), version=F("version") + 1)


def _ask_again() -> int:
    """The message of a busy upload may be lost; its lock keeps a second worker away where it is not."""
    silent = Upload.objects.filter(state__in=BUSY_UPLOADS, updated_at__lt=timezone.now() - ASKED_AGAIN_AFTER)
    for upload in silent:
        messages.send(TASKS[UploadState(upload.state)], upload.pk)
    return len(silent)


def _ask_again_for_decodings() -> int:
    """Newest revisions whose pictures nobody has compared for long: a worker that decoded them may have ended."""
    newest = Revision.objects.filter(no=F("dataset__revision_no"), dataset__deleted_at__isnull=True)
    before = timezone.now() - DECODING_ASKED_AGAIN_AFTER
    silent = newest.filter(alike__isnull=True, created_at__lt=before).order_by("created_at")
    found = list(silent.values_list("dataset_id", flat=True)[:BATCH])
    for dataset_id in found:
        # The next pass asks again: nothing piles up ahead of uploads while all workers are at it.
        messages.send("datasets.decode", dataset_id, expires=PASS_SECONDS)
    return len(found)


def _ask_again_for_exports() -> int:
    """The message may be lost, or the worker dead; the lock keeps a second worker away where it is not."""
    silent = Export.objects.filter(state__in=ACTIVE_EXPORTS, updated_at__lt=timezone.now() - ASKED_AGAIN_AFTER)
    found = list(silent.values_list("pk", flat=True))
    for export_id in found:
        messages.send("datasets.export", export_id)
    return len(found)


def _ended() -> Iterator[Upload]:
    rows = Upload.objects.filter(state__in=ENDED_UPLOADS, swept_at__isnull=True).select_related("dataset")
    yield from rows[:BATCH]


def _sweep_upload(upload: Upload) -> bool:
    """Removes the folder and, where nothing was published, the objects that the attempt left. False: later."""
    folder = UploadFolder(upload.pk)
    # A worker that fetches may not have noticed yet that the import was given up.
    with upload_lock(upload.pk) as idle:
        if not idle or (upload.state != UploadState.PUBLISHED and not _remove_stored(upload, folder)):
            return False
        sent = list(upload.direct_files.all())
        if remove_files(sent) < len(sent):
            return False
        folder.remove()
    _note_swept(upload_id=upload.pk)
    return True


def _remove_stored(upload: Upload, folder: UploadFolder) -> bool:
    organization_id = upload.dataset.organization_id
    with blobs_alone(organization_id) as alone:
        if not alone:
            return False
        left = list(noted_digests(folder.stored))
        for start in range(0, len(left), BATCH):
            part = left[start : start + BATCH]
            delete_objects(organization_id, set(part) - digests_named(organization_id, part))
    return True


@ingest("datasets.upload_note_swept")
def _note_swept(*, upload_id: UUID) -> None:
    """Nothing of the upload is left but its row."""
    Upload.objects.filter(pk=upload_id).update(swept_at=timezone.now())


def _remove_strays() -> int:
    """Folders whose upload has no row (its dataset was deleted for good)."""
    old = list(untouched(uploads_root(), FOLDER_SECONDS))
    known = {str(pk) for pk in Upload.objects.filter(swept_at__isnull=True).values_list("pk", flat=True)}
    strays = [path for path in old if path.name not in known]
    for path in strays:
        shutil.rmtree(path, ignore_errors=True)
    return len(strays)


def sweep_archives() -> int:
    """Ends exports that were kept long enough, removes archives that no export names, and folders that dead workers
    left. Returns how many archives went. Idempotent; run by beat, and after an export was deleted."""
    exports_expire()
    named = set(Export.objects.filter(state__in=(ExportState.READY, ExportState.RUNNING)).values_list("pk", flat=True))
    strays = [key for key in storage().keys(ARCHIVES) if _export_of(key) not in named]
    for key in strays:
        storage().delete(key)
    _remove_export_folders()
    return len(strays)


def _export_of(key: str) -> UUID | None:
    try:
        return UUID(key.rpartition("/")[2].removesuffix(".zip"))
    except ValueError:
        return None


def _remove_export_folders() -> None:
    old = list(untouched(exports_root(), FOLDER_SECONDS))
    live = {str(pk) for pk in Export.objects.filter(state__in=ACTIVE_EXPORTS).values_list("pk", flat=True)}
    for folder in old:
        if folder.name not in live:
            shutil.rmtree(folder, ignore_errors=True)
