"""Analysing an upload, by a worker: unpack or take over what arrived, read it once, note down what it holds."""

import json
import logging
import os
import posixpath
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import UUID

from django.db import OperationalError
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.connections import release_connection
from apps.core.errors import Conflict, Invalid, TooLarge, TooManyRequests
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.datasets import actions
from apps.datasets.analysis import NOTHING, UNREAD, Analysis, analyse
from apps.datasets.archives import Limits, Staged, archive_kind, unpack, walk
from apps.datasets.archives.staging import Stage
from apps.datasets.defects import WARNING, BadInput, Defect
from apps.datasets.folders import UploadFolder
from apps.datasets.foreign import Converted, convert, reason_off
from apps.datasets.formats.model import ParsedItem
from apps.datasets.formats.voc.parsing import LABEL_MAP, is_split_list
from apps.datasets.formats.yolo.layout import CLASS_FILES
from apps.datasets.images import MEDIA_TYPES
from apps.datasets.images.look_process import Looks
from apps.datasets.models import Dataset, Entry, PublishMode, Upload, UploadSource, UploadState
from apps.datasets.services import messages
from apps.datasets.services.blobs import write_ahead
from apps.datasets.services.direct import all_arrived
from apps.datasets.services.foreign import require_format
from apps.datasets.services.likeness import Picture, pictures_elsewhere, warn_of_known, write_looks
from apps.datasets.services.locks import upload_lock
from apps.datasets.services.parts import parts_open
from apps.datasets.services.refusals import domain_errors
from apps.datasets.services.room import LIMITS
from apps.datasets.services.uploads import wrong_state

log = logging.getLogger(__name__)

#: Of `analyse_archive`, whose caller waits for the answer.
DIRECT_BYTES = 1 << 30
DIRECT_AT_ONCE = 2
DIRECT_AGAIN_SECONDS = 10
#: As long as pictures are looked at, whose looks are compared; the others are looked at after publishing.
LOOK_SECONDS, DIRECT_LOOK_SECONDS = 600.0, 20.0
DIRECT_LIMITS = Limits(members=50_000, total_bytes=2 << 30, seconds=50.0)
HEAD = 512
PAUSE_SECONDS = 0.5
ANALYSABLE = (UploadState.RECEIVING, UploadState.READY, UploadState.REFUSED)
#: Files besides images and labels that belong to a set and are kept with it, so that it can be given back whole.
KEPT_ENDINGS = (".yaml", ".yml", ".md")
#: Formats whose labels are documents of JSON.
JSON_FORMATS = ("coco", "dice")
KEPT_NAMES = frozenset({*CLASS_FILES, LABEL_MAP, "train.txt", "val.txt", "valid.txt", "test.txt"})
TEXT_TYPES = {
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".md": "text/markdown",
    ".json": "application/json",
    ".xml": "application/xml",
}


@operation("datasets.upload_analyse", permission="datasets.change_upload", on="upload")
def upload_analyse(*, actor: Actor, upload: Upload, lenient: bool = False, format: str | None = None) -> Upload:
    """Closes the upload to further files and has a worker analyse it; may be asked again with another `lenient`.

    `format` is one that another library reads, "" has it told by the portal, None leaves what the upload has.
    """
    require_format(format or "")
    upload = Upload.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=upload.pk)
    if upload.state not in ANALYSABLE:
        raise wrong_state(upload)
    if not upload.file_count:
        raise Conflict(_("Nothing was uploaded yet."), code="upload_empty", hint=_("Send the files first."))
    # What was sent straight to the store is brought here first.
    fetched = upload.source == UploadSource.DIRECT and upload.state == UploadState.RECEIVING
    if fetched and not all_arrived(upload):
        raise Conflict(
            _("Not every file is complete."), code="upload_incomplete", hint=_("Complete or remove them first.")
        )
    if parts_open(upload):
        raise Conflict(
            _("Not all parts of a file have arrived."),
            code="parts_open",
            hint=_("Send the others and join them, or give the upload up."),
        )
    state = UploadState.FETCHING if fetched else UploadState.ANALYSING
    wanted = upload.format if format is None else format
    upload.change(state=state, lenient=lenient, format=wanted, analysis={}, failure={}, progress={})
    params, about = {"lenient": lenient, **({"format": wanted} if wanted else {})}, [upload.dataset]
    auditing.record(actor, actions.UPLOAD_ANALYSED, upload, name=upload.dataset.name, params=params, about=about)
    messages.send_on_commit("datasets.fetch" if fetched else "datasets.read", upload.pk)
    return upload


def upload_read(upload_id: UUID | str) -> None:
    """What the worker does. Idempotent: it begins anew after a worker's death, and two at once do the work once."""
    upload = Upload.objects.select_related("dataset").filter(pk=upload_id).first()
    if upload is None:
        return
    with upload_lock(upload.pk) as held:
        upload.refresh_from_db()
        if not held or upload.state != UploadState.ANALYSING:
            return
        try:
            found = _analysed(upload)
            _note_analysis(upload_id=upload.pk, analysis=found.as_dict(), elsewhere=found.elsewhere)
        except OSError as error:
            log.exception("upload %s could not be read", upload.pk)
            _note_failure(upload_id=upload.pk, code="unreadable", params={"detail": error.strerror or ""})
        except OperationalError:
            # The database is away: the row still says what is to be done, and the sweep asks again.
            raise
        except Exception:
            # A set that a reader breaks on would break it every time that the sweep asks.
            log.exception("upload %s could not be analysed", upload.pk)
            _note_failure(upload_id=upload.pk, code="unreadable", params={})
            raise


#: Archives that one process analyses inside of requests: each takes a thread, a core and gigabytes of the disk.
_direct = threading.BoundedSemaphore(DIRECT_AT_ONCE)


def analyse_archive(*, actor: Actor, dataset: Dataset, stream: BinaryIO, lenient: bool = False) -> Analysis:
    """The analysis of an archive, at once and without storing anything.

    Raises `Invalid` or `TooLarge` for what is no sound archive, `TooManyRequests` while others are analysed; defects of
    the set in it are part of the answer.
    """
    policy.require(actor, "datasets.change_dataset", dataset)
    if not _direct.acquire(blocking=False):
        raise TooManyRequests(
            _("Other archives are being analysed just now."),
            hint=_("Try again soon, or start an upload: it waits for its turn by itself."),
            params={"retry_after": DIRECT_AGAIN_SECONDS},
        )
    try:
        return _analysed_at_once(dataset, stream, lenient)
    finally:
        _direct.release()


def _analysed_at_once(dataset: Dataset, stream: BinaryIO, lenient: bool) -> Analysis:
    release_connection()
    with tempfile.TemporaryDirectory(prefix="modelyard-analyse-") as name:
        archive = Path(name, "archive")
        with archive.open("wb") as target:
            size = 0
            while chunk := stream.read(HEAD << 11):
                size += len(chunk)
                if size > DIRECT_BYTES:
                    raise TooLarge(
                        _("At most %(limit)s bytes can be analysed at once.") % {"limit": DIRECT_BYTES},
                        hint=_("Start an upload instead."),
                    )
                target.write(chunk)
        with domain_errors():
            staged = unpack(archive, Path(name, "staged"), limits=DIRECT_LIMITS)
        archive.unlink()
        notes = _Notes(None, staged)
        with Looks(DIRECT_LOOK_SECONDS) as looks:
            analysis = analyse(staged, task=dataset.task, lenient=lenient, on_item=notes.add_image, looks=looks)
        if analysis.ok:
            _compare_with_stored(dataset, analysis, notes, looks, set(), adds=True)
        return analysis


def _compare_with_stored(
    dataset: Dataset, analysis: Analysis, notes: "_Notes", looks: Looks, warned: set[str], *, adds: bool
) -> None:
    """What the set has in common with this dataset, where that stays beside it (`adds`), and with others."""
    if adds:
        warn_of_known(dataset, analysis, notes.pictures, looks.found, warned)
    digests = list(dict.fromkeys(picture.sha256 for picture in notes.pictures.values()))
    analysis.elsewhere = pictures_elsewhere(dataset, digests)


def _analysed(upload: Upload) -> Analysis:
    """Stages the files and analyses them; writes `items.jsonl` where the set may be published."""
    folder = UploadFolder(upload.pk)
    progress = _Progress(upload.pk)
    folder.items.unlink(missing_ok=True)
    converted = None
    # What an earlier analysis made of it: the pictures are links to those that stay.
    shutil.rmtree(folder.converted, ignore_errors=True)
    try:
        staged = _staged(folder, progress)
        write_ahead(len(staged.members))
    except BadInput as refused:
        return _refused_whole(refused, UNREAD)
    try:
        if upload.format:
            converted = _converted(staged, folder, upload, progress)
            staged = converted.staged
    except BadInput as refused:
        return _refused_whole(refused)
    temporary = folder.items.with_suffix(".part")
    warned: set[str] = set()
    with temporary.open("w", encoding="utf-8") as target, Looks(LOOK_SECONDS) as looks:
        notes = _Notes(target, staged)
        analysis = analyse(
            staged,
            task=upload.dataset.task,
            lenient=upload.lenient,
            progress=progress,
            on_item=notes.add_image,
            warned=warned,
            looks=looks,
        )
        if analysis.ok:
            notes.add_files(with_json=analysis.format in JSON_FORMATS)
    if converted is not None:
        analysis.format, analysis.confidence, analysis.reason = converted.format, 1.0, "datumaro.read"
        analysis.defects = converted.located(analysis.defects)
    if analysis.ok and analysis.format in JSON_FORMATS:
        _warn_of_replaced(upload, analysis, temporary)
    if analysis.ok:
        adds = upload.mode == PublishMode.ADD
        _compare_with_stored(upload.dataset, analysis, notes, looks, warned, adds=adds)
        write_looks(folder, looks.found)
        folder.warned.write_text(json.dumps(sorted(warned)), encoding="utf-8")
        os.replace(temporary, folder.items)
    else:
        temporary.unlink()
    return analysis


def _warn_of_replaced(upload: Upload, analysis: Analysis, items: Path) -> None:
    """One document labels many images: another of the same name takes it away from those that are not in the upload."""
    documents, images = {}, set()
    with items.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if "width" in line:
                images.add(line["path"])
            elif line["path"].lower().endswith(".json"):
                documents[line["path"]] = line["sha256"]
    now = Entry.objects.filter(dataset=upload.dataset_id, to_revision__isnull=True)
    found = now.filter(item__path__in=documents).order_by("item__path").values_list("item__path", "blob__sha256")
    replaced = [path for path, sha256 in found if documents[path] != sha256]
    if not replaced:
        return
    labelled = now.images().filter(annotation__isnull=False).order_by().values_list("item__path", flat=True)
    if others := sum(path not in images for path in labelled.iterator()):
        analysis.warn([Defect("set.labels_replaced", WARNING, replaced[0], None, {"images": others})])


def _converted(
    staged: Staged, folder: UploadFolder, upload: Upload, progress: Callable[[int, int | None, int], None]
) -> Converted:
    """The set as another library reads it. Raises `BadInput`, also when that was switched off meanwhile."""
    if reason_off():
        raise BadInput("datumaro.off")
    return convert(staged, folder.converted, upload.format, task=upload.dataset.task, progress=progress)


def _refused_whole(refused: BadInput, reason: str = NOTHING) -> Analysis:
    return Analysis(errors=1, defects=[refused.defect], defect_counts={refused.code: 1}, reason=reason)


def _staged(folder: UploadFolder, progress: Callable[[int, int | None, int], None]) -> Staged:
    """The set as plain files under `staged/`, which exists once it is complete."""
    if folder.staged.is_dir():
        return _walked(folder.staged)
    archive = _only_archive(folder.files)
    if archive is not None:
        # What a worker left half unpacked when it died.
        shutil.rmtree(folder.unpacking, ignore_errors=True)
        staged = unpack(archive, folder.unpacking, limits=LIMITS, progress=progress)
        os.replace(folder.unpacking, folder.staged)
        staged.root = folder.staged
        archive.unlink()
        return staged
    os.replace(folder.files, folder.staged)
    return _walked(folder.staged)


def _walked(folder: Path) -> Staged:
    """A set of single files, under the same rules as an archive's members."""
    staged = walk(folder, limits=LIMITS)
    for member in staged.members:
        with staged.locate(member.path).open("rb") as stream:
            Stage.refuse_packed(member.path, stream.read(HEAD))
    return staged


def _only_archive(files: Path) -> Path | None:
    """The one file of the upload when it is meant as an archive. Raises BadInput where it only says so."""
    found = [Path(parent, name) for parent, _folders, names in os.walk(files) for name in names]
    if len(found) != 1:
        return None
    is_named_so = found[0].name.lower().endswith((".zip", ".tar", ".gz", ".tgz"))
    with found[0].open("rb") as stream:
        try:
            archive_kind(stream)
        except BadInput:
            if is_named_so:
                raise
            return None
    return found[0]


class _Notes:
    """Writes down each file of the set that is to be published, one JSON object a line; nothing without a target."""

    def __init__(self, target: TextIO | None, staged: Staged) -> None:
        self.target = target
        self.staged = staged
        self.labels: set[str] = set()
        self.pictures: dict[str, Picture] = {}

    def add_image(self, item: ParsedItem) -> None:
        if item.label_path is not None:
            self.labels.add(item.label_path)
        self.pictures[item.path] = Picture(item.sha256, item.split or "")
        if self.target is None:
            return
        annotation = item.annotation
        self._write(
            path=item.path,
            sha256=item.sha256,
            size=item.size,
            type=MEDIA_TYPES[item.facts.format],
            width=item.facts.width,
            height=item.facts.height,
            split=item.split or "",
            label=item.label_path,
            document=None if annotation is None else annotation.document(),
        )

    def add_files(self, *, with_json: bool) -> None:
        """Labels and descriptions, byte for byte; what is neither was reported and is left out."""
        endings = (*KEPT_ENDINGS, ".json") if with_json else KEPT_ENDINGS
        for member in self.staged.members:
            name = posixpath.basename(member.path).lower()
            is_kept = name in KEPT_NAMES or name.endswith(endings) or is_split_list(member.path)
            if member.path not in self.labels and not is_kept:
                continue
            sha256 = member.sha256 or self.staged.digest(member.path)
            ending = posixpath.splitext(name)[1]
            self._write(
                path=member.path,
                sha256=sha256,
                size=member.size,
                type=TEXT_TYPES.get(ending, "application/octet-stream"),
            )

    def _write(self, **values: Any) -> None:
        assert self.target is not None
        self.target.write(json.dumps(values, separators=(",", ":")) + "\n")


class _Progress:
    """Writes how far the worker is into the row, a few times a second at most."""

    def __init__(self, upload_id: UUID) -> None:
        self.upload_id = upload_id
        self._next = time.monotonic() + PAUSE_SECONDS

    def __call__(self, done: int, total: int | None, size: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PAUSE_SECONDS
        _note_progress(upload_id=self.upload_id, progress={"done": done, "total": total, "bytes": size})


@ingest("datasets.upload_note_progress")
def _note_progress(*, upload_id: UUID, progress: dict[str, Any]) -> None:
    Upload.objects.filter(pk=upload_id).update(progress=progress, updated_at=timezone.now())


@ingest("datasets.upload_note_analysis")
def _note_analysis(*, upload_id: UUID, analysis: dict[str, Any], elsewhere: dict[str, int]) -> None:
    """The worker's answer to `upload_analyse`; a set with errors cannot be published."""
    upload = Upload.objects.select_for_update().get(pk=upload_id)
    if upload.state == UploadState.ANALYSING:
        counts = {"file_count": analysis["files"], "byte_count": analysis["bytes"]} if analysis["files"] else {}
        state = UploadState.READY if analysis["ok"] else UploadState.REFUSED
        upload.change(state=state, analysis=analysis, elsewhere=elsewhere, progress={}, **counts)


@ingest("datasets.upload_note_failure")
def _note_failure(*, upload_id: UUID, code: str, params: dict[str, Any]) -> None:
    """The portal could not do its part; nothing of the upload was published."""
    upload = Upload.objects.select_for_update().get(pk=upload_id)
    upload.change(state=UploadState.FAILED, failure={"code": code, "params": params}, progress={})


def note_failure(upload_id: UUID, code: str, params: dict[str, Any]) -> None:
    _note_failure(upload_id=upload_id, code=code, params=params)


def refused_error(upload: Upload) -> Invalid:
    """Why a refused upload cannot be published, with its first error."""
    defects = [found for found in upload.analysis.get("defects", ()) if found["severity"] == "error"]
    first = defects[0] if defects else {}
    hint = _("Correct the files and upload them again, or analyse leniently.")
    if upload.lenient:
        hint = _("Correct the files and upload them again.")
    return Invalid(
        _("The upload has %(errors)s errors.") % {"errors": upload.analysis.get("errors", 0)},
        code="upload_refused",
        hint=hint,
        params={"errors": upload.analysis.get("errors", 0), "first": first},
    )
