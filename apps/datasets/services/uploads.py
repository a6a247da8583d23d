"""Receiving an upload: started, filled file by file and side by side, given up."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.conf import settings
from django.core.cache import cache
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.core.storage import DirectUploads, storage
from apps.datasets import actions
from apps.datasets.archives import PathRules
from apps.datasets.defects import BadInput
from apps.datasets.folders import UploadFolder
from apps.datasets.models import BUSY_UPLOADS, ENDED_UPLOADS, Dataset, PublishMode, Upload, UploadSource, UploadState
from apps.datasets.services.locks import path_lock
from apps.datasets.services.refusals import as_domain_error, domain_errors
from apps.datasets.services.room import LIMITS, Room, no_room, room_of
from apps.organizations.services import quotas

CHUNK = 1 << 20
#: How long a sender of many files goes by the room that was found for the first.
ROOM_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file as it arrived. `kept` is False for what systems leave behind (`.DS_Store`, `__MACOSX`)."""

    path: str
    size: int
    sha256: str
    kept: bool = True


@operation("datasets.upload_create", permission="datasets.change_dataset", on="dataset")
def upload_create(
    *, actor: Actor, dataset: Dataset, mode: str = PublishMode.ADD, note: str = "", direct: bool = False
) -> Upload:
    """Opens an upload into the dataset; files follow by `upload_receive`, or with `direct` straight to the store, by
    `apps.datasets.services.direct`."""
    quotas.require_storage(dataset.organization_id)
    if direct:
        require_direct()
    source = UploadSource.DIRECT if direct else UploadSource.SENT
    upload = Upload(dataset=dataset, created_by=actor.user, source=source, mode=mode, note=note)
    upload.full_clean(validate_constraints=False)
    upload.save()
    auditing.record(actor, actions.UPLOAD_STARTED, upload, name=dataset.name, about=[dataset])
    return upload


@domain_errors()
def upload_receive(
    *, actor: Actor, upload: Upload, path: str, stream: BinaryIO, length: int | None = None, sha256: str = ""
) -> ReceivedFile:
    """Takes one file in under its path; sent again, it replaces the first. `length` in bytes and `sha256` are what was
    announced, None and "" where nothing was.

    Many may run side by side. Raises `Invalid` for a path that may not be and for a body that breaks off or has another
    digest, `TooLarge` beyond the limits, `Conflict` beyond the quota and when the upload takes no files any more,
    `Unavailable` when the disk is full. A refused file leaves nothing.
    """
    policy.require(actor, "datasets.change_upload", upload)
    check_receiving(upload)
    require_through_portal(upload)
    folder = UploadFolder(upload.pk)
    room = room_now(upload)
    clean = PathRules(LIMITS).accept_file(path)
    if clean is None:
        return ReceivedFile(path, 0, "", kept=False)
    folder.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder.incoming / uuid4().hex
    try:
        size, found = _written(temporary, stream, clean, room, upload.byte_count)
        if length is not None and size != length:
            raise incomplete(size, length)
        if sha256:
            check_digest(found, sha256)
        with path_lock(upload.pk, clean):
            _enter(upload, folder, temporary, clean, size, room)
    finally:
        temporary.unlink(missing_ok=True)
    return ReceivedFile(clean, size, found)


def received_files(upload: Upload) -> Iterator[tuple[str, int]]:
    """Paths and sizes of what has arrived, for a sender that goes on after a break."""
    if upload.source == UploadSource.DIRECT:
        yield from upload.direct_files.filter(completed_at__isnull=False).values_list("path", "byte_count")
        return
    root = UploadFolder(upload.pk).files
    for parent, _folders, names in os.walk(root):
        for name in names:
            file = Path(parent, name)
            try:
                yield file.relative_to(root).as_posix(), file.stat().st_size
            except FileNotFoundError:  # the analysis has just taken the folder over
                continue


@operation("datasets.upload_cancel", permission="datasets.change_upload", on="upload")
def upload_cancel(*, actor: Actor, upload: Upload) -> Upload:
    """Gives an upload up; its files are removed by the next sweep.

    A worker that fetches files stops within a second; while one reads or stores them it is refused.
    """
    upload = Upload.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=upload.pk)
    if upload.state in {*BUSY_UPLOADS, *ENDED_UPLOADS} - {UploadState.FETCHING}:
        raise wrong_state(upload)
    upload.change(state=UploadState.CANCELLED, place_secret="", progress={})
    auditing.record(actor, actions.UPLOAD_CANCELLED, upload, name=upload.dataset.name, about=[upload.dataset])
    return upload


def clean_path(path: str) -> str:
    """The path as it is kept. Raises `BadInput` for one that may not be, `Invalid` for what systems leave behind: nobody
    sends that in parts."""
    clean = PathRules(LIMITS).accept_file(path)
    if clean is None:
        raise Invalid(
            _("Systems leave such files behind; they are no part of a set."), code="path_junk", params={"path": path}
        )
    return clean


def incomplete(size: int, length: int) -> Invalid:
    return Invalid(
        _("The file broke off after %(size)s of %(length)s bytes.") % {"size": size, "length": length},
        code="incomplete",
        hint=_("Send it again."),
    )


def check_digest(found: str, announced: str) -> None:
    """Raises `Invalid` where what arrived is not what was sent."""
    if found != announced:
        raise Invalid(
            _("What arrived is not what was sent: its SHA-256 is %(found)s.") % {"found": found},
            code="digest_mismatch",
            hint=_("Send it again."),
            params={"sha256": found},
        )


def wrong_state(upload: Upload) -> Conflict:
    return Conflict(
        _("The upload is in the state “%(state)s”; this cannot be done now.") % {"state": upload.get_state_display()},
        code="upload_state",
        params={"state": str(upload.state)},
    )


def room_now(upload: Upload) -> Room:
    """The room that was found a moment ago: looking anew for each of many files would cost more than they do."""
    key = f"upload-room:{upload.pk}"
    found: Room | None = cache.get(key)
    if found is None:
        found = room_of(upload, here=upload.byte_count)
        cache.set(key, found, ROOM_SECONDS)
    return found


def require_through_portal(upload: Upload) -> None:
    """Raises `Conflict` when the upload's files go straight to the store."""
    if upload.source == UploadSource.DIRECT:
        raise Conflict(
            _("The files of this upload go straight to the store."),
            code="upload_direct",
            hint=_("Start another upload for files that go through the portal."),
        )


def require_direct() -> DirectUploads:
    """How files are sent straight to the store. Raises `Conflict` where they are not."""
    found = storage().direct if settings.DIRECT_UPLOADS != "off" else None
    if found is None:
        raise Conflict(
            _("This portal's store takes no files directly."),
            code="direct_unavailable",
            hint=_("Send the files to the portal."),
        )
    return found


def check_receiving(upload: Upload, *, new: bool = True) -> None:
    """Raises `Conflict` when the upload takes no files any more, `TooLarge` when it has so many that a `new` one is too
    many; one that is sent again is none."""
    if upload.state != UploadState.RECEIVING:
        raise wrong_state(upload)
    if new and upload.file_count >= LIMITS.members:
        refused = BadInput("archive.too_many_members", members=upload.file_count + 1, limit=LIMITS.members)
        raise as_domain_error(refused)


def _written(target: Path, stream: BinaryIO, path: str, room: Room, here: int) -> tuple[int, str]:
    """Writes the stream to the new file, beside the bytes that are `here`; returns size and sha256."""
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > LIMITS.member_bytes:
                raise BadInput("archive.member_too_big", path, limit=LIMITS.member_bytes)
            if here + size > room.size:
                raise no_room(room, path)
            digest.update(chunk)
            file.write(chunk)
    return size, digest.hexdigest()


def _enter(upload: Upload, folder: UploadFolder, temporary: Path, path: str, size: int, room: Room) -> None:
    target = folder.files / path
    try:
        before = target.stat().st_size if target.is_file() else None
        more = size - (before or 0)
        count_in(upload, files=int(before is None), size=more, room=room, path=path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(temporary, target)
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise BadInput("path.file_and_folder", path) from error


def count_in(upload: Upload, *, files: int, size: int, room: Room, path: str) -> None:
    """Counts files in, before they are moved: once the upload is being analysed, nothing may come into it.

    Raises what `no_room` says of the file at `path`, `Conflict` when the upload takes no files any more.
    """
    if not upload_count(upload_id=upload.pk, files=files, size=size, most=room.size):
        upload.refresh_from_db(fields=["state"])
        raise no_room(room, path) if upload.state == UploadState.RECEIVING else wrong_state(upload)


@ingest("datasets.upload_count")
def upload_count(*, upload_id: UUID, files: int, size: int, most: int) -> bool:
    """Counts a file in; False when the upload takes none any more, or not beyond `most` bytes, whatever came in beside
    this one. The analysis counts exactly what lies there."""
    rows = Upload.objects.filter(pk=upload_id, state=UploadState.RECEIVING)
    if size > 0:
        rows = rows.filter(byte_count__lte=most - size)
    return bool(
        rows.update(file_count=F("file_count") + files, byte_count=F("byte_count") + size, updated_at=timezone.now())
    )
