"""Files of an upload that go straight to the object store: opened, sent in parts by signed addresses, completed.

Room for a file is taken before the first byte is sent. What arrived lies under `incoming/` in the store and is seen by
nobody: a worker brings it here, compares every part with what its sender said of it, and analyses the set; only with
the publication does it move to its content address. The door is open to who started the upload, and to nobody else.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import policy
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.identity import Actor
from apps.core.storage import DirectUploads, Part, PartsUnfit, PartsUnknown, storage
from apps.core.storage.direct import URL_SECONDS
from apps.core.storage.keys import direct_key
from apps.datasets.models import DirectFile, Upload, UploadSource
from apps.datasets.services import direct_rows as rows
from apps.datasets.services.refusals import domain_errors
from apps.datasets.services.room import Room, no_room, room_of
from apps.datasets.services.uploads import check_receiving, clean_path, require_direct, wrong_state

logger = logging.getLogger(__name__)

PART_BYTES = 8 << 20
#: Of one object; stores take no more.
MOST_PARTS = 10_000
#: Of one upload, each of which costs requests to the store: what has more files is sent as an archive.
MOST_FILES = 1000
#: Addresses that are given at once.
MOST_URLS = 100
SHA256 = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")


@dataclass(frozen=True, slots=True)
class PartAddress:
    """Where one part is sent: the method, and headers that must be sent as they are here."""

    number: int
    size: int
    url: str
    headers: dict[str, str]
    expires_at: datetime
    method: str = "PUT"


@domain_errors()
def direct_open(*, actor: Actor, upload: Upload, path: str, size: int) -> tuple[DirectFile, list[int], bool]:
    """Opens a file of `size` bytes, or goes on with one: the file, the numbers of the parts that have arrived, and
    whether it is a new one.

    Raises `Invalid` for a path that may not be, `TooLarge` and `Conflict` beyond limits and quota.
    """
    store = _entered(actor, upload)
    clean = clean_path(path)
    found = _opened_before(upload, clean, size)
    if found is not None:
        arrived = _arrived(store, found)
        if arrived is not None:
            return found, arrived, False
        # The store has removed the parts, by its own rules: the file begins anew.
        direct_remove(actor=actor, upload=upload, file_id=found.pk)
        upload.refresh_from_db(fields=["file_count", "byte_count"])
    return _opened_anew(store, upload, clean, size), [], True


def direct_addresses(
    *, actor: Actor, upload: Upload, file_id: UUID | str, parts: Mapping[int, str]
) -> list[PartAddress]:
    """Addresses for `parts`: number → MD5 of the content as base64, or "" to leave the content open.

    They work for a quarter of an hour. An upload whose sender asks for addresses is in use: no sweep gives it up.
    Raises `Invalid` for numbers that the file has not, `Conflict` for a file that is complete.
    """
    store = _entered(actor, upload)
    file = _file(upload, file_id)
    if file.completed_at is not None:
        raise _complete_already()
    if not 0 < len(parts) <= MOST_URLS:
        raise Invalid(_("Ask for 1 to %(count)s parts at once.") % {"count": MOST_URLS}, code="part_count")
    for number, md5 in parts.items():
        if not 1 <= number <= file.part_count:
            raise Invalid(
                _("The file has parts 1 to %(count)s.") % {"count": file.part_count},
                code="part_number",
                params={"number": number},
            )
        if md5 and not MD5.fullmatch(md5):
            raise Invalid(_("An MD5 is 16 bytes as base64."), code="part_md5", params={"number": number})
    if not rows.direct_touch(upload_id=upload.pk):
        upload.refresh_from_db(fields=["state"])
        raise wrong_state(upload)
    ends = timezone.now() + timedelta(seconds=URL_SECONDS)
    return [
        PartAddress(
            number=number,
            size=file.part_size(number),
            url=store.url(file.key, file.store_upload, number, file.part_size(number), md5=md5),
            headers={"Content-MD5": md5} if md5 else {},
            expires_at=ends,
        )
        for number, md5 in parts.items()
    ]


def direct_complete(*, actor: Actor, upload: Upload, file_id: UUID | str, digests: Sequence[str]) -> DirectFile:
    """Joins the parts; `digests` are their SHA-256 in order. Asked again, it answers as before.

    Raises `Conflict` that names the parts that are missing or have another length. Whether the content is what the
    digests say is found by the worker: nothing of it is seen before.
    """
    store = _entered(actor, upload)
    file = _file(upload, file_id)
    if len(digests) != file.part_count or not all(SHA256.fullmatch(digest) for digest in digests):
        raise Invalid(
            _("Give the SHA-256 of each of the %(count)s parts, in order.") % {"count": file.part_count},
            code="part_digests",
        )
    if file.completed_at is not None:
        if file.part_digests != list(digests):
            raise _complete_already()
        return file
    try:
        store.finish(file.key, file.store_upload, _whole(file, store.parts(file.key, file.store_upload)))
    except PartsUnfit as error:
        raise Conflict(
            _("A part was sent anew just now."), code="parts_changed", hint=_("Complete the file again.")
        ) from error
    except PartsUnknown:
        # Joined before, by a request that broke off; or removed by the store.
        pass
    if storage().size(file.key) != file.byte_count:
        raise Conflict(
            _("The store does not have the parts any more."), code="parts_gone", hint=_("Send the file again.")
        )
    return rows.direct_done(file=file, digests=list(digests))


def direct_remove(*, actor: Actor, upload: Upload, file_id: UUID | str) -> None:
    """Takes a file out of the upload again, and what arrived of it out of the store; its room is free."""
    _entered(actor, upload)
    file = _file(upload, file_id)
    if not rows.direct_drop(file=file):
        upload.refresh_from_db(fields=["state"])
        raise wrong_state(upload)
    discard(file)


def discard(file: DirectFile) -> None:
    """Removes from the store what there is of a file: parts and object. Idempotent."""
    store = storage()
    if store.direct is not None and file.completed_at is None:
        store.direct.abort(file.key, file.store_upload)
    store.delete(file.key)


def remove_files(files: Iterable[DirectFile]) -> int:
    """Removes files from the store, then their rows; returns how many.

    One that the store does not remove keeps its row, for the next sweep, and stands in nobody's way.
    """
    gone = []
    for file in files:
        try:
            discard(file)
        except Exception:
            logger.exception("%s was not removed from the store", file.key)
        else:
            gone.append(file)
    if gone:
        rows.direct_forget(files=gone)
    return len(gone)


def sent_objects(upload: Upload) -> dict[str, str]:
    """Digest → key of the objects that a worker has found to be as they were sent."""
    return dict(upload.direct_files.exclude(digest="").values_list("digest", "key"))


def all_arrived(upload: Upload) -> bool:
    return not upload.direct_files.filter(completed_at__isnull=True).exists()


def _entered(actor: Actor, upload: Upload) -> DirectUploads:
    """The store, for who started the upload while it takes files. Nobody else is told that there is one."""
    policy.require(actor, "datasets.change_upload", upload)
    if upload.created_by_id is None or upload.created_by_id != actor.user_id:
        raise NotFound()
    if upload.source != UploadSource.DIRECT:
        raise Conflict(
            _("The files of this upload go through the portal."),
            code="upload_not_direct",
            hint=_("Start another upload, as a direct one."),
        )
    check_receiving(upload)
    return require_direct()


def _file(upload: Upload, file_id: UUID | str) -> DirectFile:
    found = upload.direct_files.filter(pk=file_id).first()
    if found is None:
        raise NotFound()
    return found


def _opened_before(upload: Upload, path: str, size: int) -> DirectFile | None:
    """The file that is being sent under the path. Raises `Conflict` where that is another one."""
    found = upload.direct_files.filter(path=path).first()
    if found is not None and found.byte_count != size:
        raise Conflict(
            _("A file of another size is being sent under this path."),
            code="path_taken",
            hint=_("Remove it first."),
            params={"id": str(found.pk)},
        )
    return found


def _opened_anew(store: DirectUploads, upload: Upload, path: str, size: int) -> DirectFile:
    """A new file, in the store and among the rows, or in neither."""
    room = _checked_room(upload, path, size)
    # No more parts than a store takes, however long that makes each.
    part_bytes = max(PART_BYTES, -(-size // MOST_PARTS))
    key = direct_key(upload.organization_id)
    name = store.begin(key)
    file = DirectFile(
        upload=upload,
        organization_id=upload.organization_id,
        path=path,
        byte_count=size,
        part_bytes=part_bytes,
        key=key,
        store_upload=name,
    )
    try:
        rows.direct_add(file=file, room=room)
    except BaseException:
        store.abort(key, name)
        raise
    return file


def _arrived(store: DirectUploads, file: DirectFile) -> list[int] | None:
    """Numbers of the parts that lie in the store with their right length; None when it knows the file no more."""
    if file.completed_at is not None:
        return list(range(1, file.part_count + 1))
    try:
        found = store.parts(file.key, file.store_upload)
    except PartsUnknown:
        return None
    return sorted(number for number, part in found.items() if _fits(file, number, part))


def _whole(file: DirectFile, found: Mapping[int, Part]) -> dict[int, Part]:
    wanted = range(1, file.part_count + 1)
    missing = [number for number in wanted if number not in found or not _fits(file, number, found[number])]
    if missing:
        raise Conflict(
            _("%(count)s parts have not arrived.") % {"count": len(missing)},
            code="parts_missing",
            hint=_("Send them, and complete the file again."),
            params={"missing": missing[:MOST_URLS]},
        )
    return {number: found[number] for number in wanted}


def _fits(file: DirectFile, number: int, part: Part) -> bool:
    return 1 <= number <= file.part_count and part.size == file.part_size(number)


def _checked_room(upload: Upload, path: str, size: int) -> Room:
    if size < 1:
        raise Invalid(_("An empty file is not sent in parts."), code="file_empty")
    if upload.file_count >= MOST_FILES:
        raise Conflict(
            _("An upload takes %(count)s files straight to the store.") % {"count": MOST_FILES},
            code="too_many_files",
            hint=_("Pack them into an archive."),
        )
    room = room_of(upload, here=0)
    if upload.byte_count + size > room.size:
        raise no_room(room, path)
    return room


def _complete_already() -> Conflict:
    return Conflict(_("The file is complete."), code="file_complete", hint=_("Remove it to send it anew."))
