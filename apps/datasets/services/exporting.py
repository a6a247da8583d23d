"""Writing an export, by a worker: labels first, then the archive, streamed into the store.

Nothing of it depends on the time or on who asks, so that the same version gives the same bytes. A worker that dies is
followed by another, which begins anew.
"""

import json
import logging
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.db import OperationalError
from django.db.models import Count, Sum
from django.utils import translation

from apps.core.storage import Pieces, Stored, storage
from apps.core.storage.locks import Family, held, number_of
from apps.datasets.archives.zip_writer import Layout, Member
from apps.datasets.folders import exports_root
from apps.datasets.formats.packing import SetPack
from apps.datasets.formats.registry import FORMATS
from apps.datasets.formats.writing import WritableItem, Written
from apps.datasets.models import Export, ExportFormat, Item
from apps.datasets.selectors.contents import WHOLE_BYTES, Damaged, checked, files_of, zipped
from apps.datasets.selectors.exports import Target, damaged_in, files_in, narrowed_to, worded, writable_items
from apps.datasets.selectors.versions import Version
from apps.datasets.services.export_states import export_begin, export_fail, export_finish, export_note
from apps.datasets.services.exports import archive_key
from apps.datasets.services.integrity import blob_check

log = logging.getLogger(__name__)
KIND, KIND_VERSION = "modelyard.dataset.export", 1
FACTS, SUMS = "export.json", "SHA256SUMS"
PAUSE_SECONDS = 0.5
#: A piece of the texts, among keys that are digests.
TEXT = "+"


class Ended(Exception):
    """Somebody cancelled or deleted the export, or its dataset is in the trash."""


class Refused(Exception):
    """The export cannot be made, for a reason of `EXPORT_FAILURES`."""


def export_run(export_id: UUID | str) -> None:
    """What the worker does. Idempotent: two at once do the work once, and what was written before is replaced."""
    export = Export.objects.filter(pk=export_id).first()
    if export is None:
        return
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.EXPORT, number_of(export.pk)) as got:
        begun = export_begin(export_id=export.pk) if got else None
        if begun is None:
            return
        try:
            written = _written(begun)
        except OperationalError:
            # The database is away: the row still says what is to be done, and the sweep asks again.
            raise
        except Ended:
            _clear(begun)
        except Refused as refused:
            export_fail(export=begun, failure=str(refused))
        except Damaged as found:
            blob_check(organization_id=begun.dataset.organization_id, sha256=found.sha256)
            export_fail(export=begun, failure="file_damaged")
        except Exception:
            log.exception("the export %s failed", begun.pk)
            _clear(begun)
            export_fail(export=begun, failure="broken")
        else:
            if not export_finish(export=begun, stored=written):
                _clear(begun)


def _written(export: Export) -> Stored:
    """Writes the archive; the export's own counts are filled in."""
    target = _target(export)
    damaged = dict(damaged_in(target).values_list("item__path", "blob__sha256"))
    if damaged and not export.partial:
        raise Refused("file_damaged")
    progress = _Progress(export)
    with _pack(export) as pack:
        written = _filled(target, pack, frozenset(damaged.values()), progress)
        if not pack.files:
            raise Refused("empty")
        export.image_count, export.object_count = written.images, written.objects
        export.losses, export.left_out_count = written.losses.as_list(), len(damaged)
        facts = _facts(export, target, sorted(damaged))
        pack.add(_free(target, FACTS), (json.dumps(facts, ensure_ascii=False, indent=1).encode(),))
        pack.add(_free(target, SUMS), (f"{piece.sha256}  {piece.path}\n".encode() for piece in pack.pieces()))
        export.file_count = pack.files
        chunks = progress.watched(_archive(export, pack), Layout(pack.files, pack.name_bytes, pack.content_bytes))
        return storage().put(archive_key(export), cast(BinaryIO, Pieces(chunks)))


def _target(export: Export) -> Target:
    version = Version(export.dataset, export.revision)
    target = Target(version, ExportFormat(export.format), export.task, export.split_plan)
    if export.chosen is None:
        return target
    images = Item.objects.filter(dataset=export.dataset, pk__in=export.chosen)
    return narrowed_to(target, dict(images.values_list("pk", "path")))


def _filled(target: Target, pack: SetPack, left_out: frozenset[str], progress: "_Progress") -> Written:
    """Puts the set into the pack: as it came, or by the format's own writer."""
    progress.begin("labels", files_in(target).count())
    if target.format == ExportFormat.NATIVE:
        for file in progress.counted(files_of(target.version, release=False, only=target.only)):
            if file.sha256 not in left_out:
                pack.refer(file.path, file.size, file.sha256)
        images = files_in(target).images().exclude(blob__sha256__in=left_out)
        found = images.aggregate(images=Count("pk"), objects=Sum("box_count", default=0))
        return Written(found["images"], found["objects"])
    items: Iterator[WritableItem] = progress.counted(writable_items(target))
    written = FORMATS[target.format].write(items, target.classes, pack, task=target.task)
    pack.finish()
    if not written.images:
        raise Refused("empty")
    return written


def _facts(export: Export, target: Target, left_out: list[str]) -> dict[str, Any]:
    """What the archive says of itself; nothing that another export of the same would say otherwise."""
    plan = target.plan
    with translation.override("en"):
        losses = worded(export.losses)
    facts = {
        "kind": KIND,
        "version": KIND_VERSION,
        "dataset": {"id": str(export.dataset.pk), "name": export.dataset.name, "task": export.dataset.task},
        "revision": target.version.no,
        "format": export.format,
        "task": export.task or None,
        "split": plan and {name: getattr(plan, name) for name in ("method", "seed", "ratios", "pattern", "digest")},
        "classes": target.version.revision.classes,
        "image_count": export.image_count,
        "object_count": export.object_count,
        "losses": losses,
        "left_out": left_out,
        "digests": SUMS,
    }
    if target.images is not None:
        facts["chosen"] = {"images": export.chosen_count, "of": export.version_image_count}
    return facts


def _free(target: Target, name: str) -> str:
    """The name, or the next that no file has which came in under it."""
    stem, dot, ending = name.partition(".")
    taken = target.format == ExportFormat.NATIVE
    rows = files_in(target)
    free, number = name, 1
    while taken and rows.filter(item__path__iexact=free).exists():
        number += 1
        free = f"{stem}-{number}{dot}{ending}"
    return free


def _archive(export: Export, pack: SetPack) -> Iterator[bytes]:
    """The pieces of the pack as a ZIP. Raises `Damaged` rather than write other bytes."""
    organization_id = export.dataset.organization_id

    def members() -> Iterator[Member]:
        for piece in pack.pieces():
            key = piece.sha256 if piece.offset is None else f"{TEXT}{piece.offset}"
            yield Member(piece.path, piece.size, key)

    def content(member: Member) -> tuple[int, Iterable[bytes]]:
        if not member.key.startswith(TEXT):
            return checked(organization_id, member)
        offset = int(member.key)
        if member.size <= WHOLE_BYTES:
            whole = b"".join(pack.read(offset, member.size))
            return zlib.crc32(whole), (whole,)
        check = 0
        for chunk in pack.read(offset, member.size):
            check = zlib.crc32(chunk, check)
        return check, pack.read(offset, member.size)

    layout = Layout(pack.files, pack.name_bytes, pack.content_bytes)
    return zipped(layout, members, content, export.revision.created_at)


@contextmanager
def _pack(export: Export) -> Iterator[SetPack]:
    """A fresh pack in the export's own folder, which goes with it."""
    folder = exports_root() / str(export.pk)
    shutil.rmtree(folder, ignore_errors=True)
    pack = SetPack(folder)
    try:
        yield pack
    finally:
        pack.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Progress:
    """Notes a few times a second how far it is. Raises `Ended` when the export is wanted no more."""

    def __init__(self, export: Export) -> None:
        self.export = export
        self._next = 0.0

    def begin(self, step: str, total: int) -> None:
        self.step, self.done, self.total = step, 0, total
        self._note()

    def counted(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            yield row
            self._count(1)

    def watched(self, chunks: Iterable[bytes], layout: Layout) -> Iterator[bytes]:
        self.begin("archive", layout.length)
        for chunk in chunks:
            yield chunk
            self._count(len(chunk))

    def _count(self, more: int) -> None:
        self.done += more
        if time.monotonic() >= self._next:
            self._note()

    def _note(self) -> None:
        self._next = time.monotonic() + PAUSE_SECONDS
        progress = {"step": self.step, "done": self.done, "total": self.total}
        if not export_note(export=self.export, progress=progress):
            raise Ended


def _clear(export: Export) -> None:
    """Removes what a worker has put into the store for nothing."""
    storage().delete(archive_key(export))
