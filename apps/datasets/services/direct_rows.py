"""Rows of files that go straight to the store: entered, completed, given up, forgotten. Nothing here asks the store."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core.errors import NotFound
from apps.core.operations import ingest
from apps.datasets.models import DirectFile, Upload, UploadState
from apps.datasets.services.room import Room
from apps.datasets.services.uploads import count_in, wrong_state


@ingest("datasets.direct_add")
def direct_add(*, file: DirectFile, room: Room) -> None:
    """Takes room for the file and enters it. Raises as `count_in` does, also where others took the room meanwhile."""
    assert file.upload is not None
    count_in(file.upload, files=1, size=file.byte_count, room=room, path=file.path)
    file.save(force_insert=True)


@ingest("datasets.direct_touch")
def direct_touch(*, upload_id: UUID) -> bool:
    """False when the upload takes no more."""
    rows = Upload.objects.filter(pk=upload_id, state=UploadState.RECEIVING)
    return bool(rows.update(updated_at=timezone.now()))


@ingest("datasets.direct_done")
def direct_done(*, file: DirectFile, digests: list[str]) -> DirectFile:
    assert file.upload_id is not None
    upload = Upload.objects.select_for_update(of=("self",)).get(pk=file.upload_id)
    if upload.state != UploadState.RECEIVING:
        raise wrong_state(upload)
    found = DirectFile.objects.select_for_update(of=("self",)).filter(pk=file.pk, upload=upload).first()
    if found is None:
        raise NotFound()
    found.change(part_digests=digests, completed_at=timezone.now())
    return found


@ingest("datasets.direct_drop")
def direct_drop(*, file: DirectFile) -> bool:
    """Gives the room back. The row stays for the sweep, which removes again what arrives late."""
    assert file.upload_id is not None
    upload = Upload.objects.select_for_update(of=("self",)).get(pk=file.upload_id)
    if upload.state != UploadState.RECEIVING:
        return False
    # Of two who remove it at once, one gives the room back.
    if DirectFile.objects.filter(pk=file.pk, upload=upload).update(upload=None):
        Upload.objects.filter(pk=upload.pk).update(
            file_count=F("file_count") - 1,
            byte_count=F("byte_count") - file.byte_count,
            updated_at=timezone.now(),
        )
    return True


@ingest("datasets.direct_note_digests")
def direct_note_digests(*, digests: Mapping[str, str]) -> None:
    """What a worker has read: key → SHA-256 of the whole."""
    for key, digest in digests.items():
        DirectFile.objects.filter(key=key).update(digest=digest)


@ingest("datasets.direct_forget")
def direct_forget(*, files: list[DirectFile]) -> None:
    DirectFile.objects.filter(pk__in=[file.pk for file in files]).delete()
