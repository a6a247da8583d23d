"""Publishing an upload as a new revision: everything or nothing.

A worker puts the files into the store and the rows into a temporary table, both outside of transactions; then one
transaction under the dataset's lock turns the table into entries, with a handful of statements whatever the size.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import OperationalError
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import DomainError, Invalid
from apps.core.identity import Actor, Via
from apps.core.operations import operation
from apps.core.storage.locks import blobs_shared
from apps.datasets import actions
from apps.datasets.folders import UploadFolder
from apps.datasets.formats.classes import ClassInfo, remapped
from apps.datasets.formats.model import Annotation
from apps.datasets.likeness import cell_of
from apps.datasets.models import Dataset, PublishMode, Revision, Upload, UploadState
from apps.datasets.services import messages, statements
from apps.datasets.services.blobs import store_files
from apps.datasets.services.direct import sent_objects
from apps.datasets.services.likeness import read_looks
from apps.datasets.services.locks import upload_lock
from apps.datasets.services.reading import note_failure, refused_error
from apps.datasets.services.revisions import next_revision
from apps.datasets.services.uploads import wrong_state
from apps.organizations.services import quotas

log = logging.getLogger(__name__)
TRIES = 5
MOST_CLASSES = 32_767


class _Moved(Exception):
    """Another publication came first; this one is prepared again on top of it."""


@dataclass(frozen=True, slots=True)
class _Classes:
    """The class table of the new revision, and the ids of the upload's classes in it (None: as they are).

    A class without an id is left out.
    """

    infos: list[ClassInfo]
    ids: dict[int, int | None] | None

    def as_table(self) -> list[dict[str, Any]]:
        return [info.row(number) for number, info in enumerate(self.infos)]


@operation("datasets.upload_publish", permission="datasets.change_upload", on="upload")
def upload_publish(
    *,
    actor: Actor,
    upload: Upload,
    mode: str | None = None,
    note: str | None = None,
    classes: Mapping[str, str | None] | None = None,
) -> Upload:
    """Has a worker publish an analysed upload. Refused while the analysis has errors.

    `classes` gives classes of the upload other names; two that get one name are merged, None leaves a class out.
    """
    upload = Upload.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=upload.pk)
    if upload.state == UploadState.REFUSED:
        raise refused_error(upload)
    if upload.state != UploadState.READY:
        raise wrong_state(upload)
    class_map = _checked_map(upload, classes or {})
    upload.change(
        state=UploadState.PUBLISHING,
        class_map=class_map,
        mode=mode or upload.mode,
        note=upload.note if note is None else note,
        published_by=actor.user,
        progress={},
    )
    auditing.record(
        actor,
        actions.PUBLISH_REQUESTED,
        upload,
        name=upload.dataset.name,
        params={"mode": str(upload.mode), **({"classes": class_map} if class_map else {})},
        about=[upload.dataset],
    )
    messages.send_on_commit("datasets.store", upload.pk)
    return upload


def upload_store(upload_id: UUID | str) -> None:
    """What the worker does. Idempotent: begins anew after a worker's death, and two at once do the work once."""
    upload = Upload.objects.select_related("dataset").filter(pk=upload_id).first()
    if upload is None:
        return
    with upload_lock(upload.pk) as held:
        upload.refresh_from_db()
        if not held or upload.state != UploadState.PUBLISHING:
            return
        try:
            _stored(upload)
        except DomainError as error:
            note_failure(upload.pk, error.code, {"message": str(error.message)})
        except OperationalError:
            # The database is away: the row still says what is to be done, and the sweep asks again.
            raise
        except Exception:
            log.exception("upload %s could not be published", upload.pk)
            note_failure(upload.pk, "publish_failed", {})
            raise
        else:
            UploadFolder(upload.pk).remove()


@operation("datasets.dataset_publish", permission="datasets.change_dataset", on="dataset")
def dataset_publish(
    *, actor: Actor, dataset: Dataset, upload: Upload, revision_no: int, classes: list[dict[str, Any]]
) -> Revision | None:
    """Turns the temporary table, prepared for the revision `revision_no`, into the next one.

    Returns None, and makes no revision, when nothing would differ. Raises `_Moved` when the dataset has gone on.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    upload = Upload.objects.select_for_update().get(pk=upload.pk)
    if upload.state != UploadState.PUBLISHING:
        raise wrong_state(upload)
    if dataset.revision_no != revision_no:
        raise _Moved
    last = Revision.objects.filter(dataset=dataset, no=revision_no).first()
    moved = statements.write_entries(
        dataset.organization_id,
        dataset.pk,
        revision_no + 1,
        keep=upload.mode == PublishMode.ADD,
    )
    quotas.require_stored(dataset.organization_id)
    revision = None
    if moved.total or last is None or last.classes != classes:
        revision = next_revision(actor, dataset, classes, moved, note=upload.note)
    upload.change(state=UploadState.PUBLISHED, revision=revision or last, progress={})
    after = {"added": moved.added, "changed": moved.changed, "removed": moved.removed}
    params = {"revision": dataset.revision_no, "upload": str(upload.pk)}
    auditing.record(actor, actions.PUBLISHED, dataset, after=after, params=params)
    messages.send_on_commit("datasets.decode", dataset.pk)
    return revision


def _stored(upload: Upload) -> None:
    folder = UploadFolder(upload.pk)
    if not folder.items.is_file():
        raise Invalid(_("The files of the upload are gone."), code="upload_gone", hint=_("Upload them again."))
    organization_id = upload.dataset.organization_id
    with blobs_shared(organization_id):
        store_files(organization_id, _sources(folder), folder.stored, sent=sent_objects(upload))
        for attempt in range(TRIES):
            dataset = Dataset.objects.get(pk=upload.dataset_id)
            classes = _merged(upload, dataset)
            try:
                with statements.incoming(_rows(folder, classes.ids)):
                    dataset_publish(
                        actor=_actor(upload),
                        dataset=dataset,
                        upload=upload,
                        revision_no=dataset.revision_no,
                        classes=classes.as_table(),
                    )
                return
            except _Moved:
                log.info("upload %s is prepared again, attempt %s", upload.pk, attempt + 2)
    raise Invalid(_("Others kept changing the dataset."), code="dataset_busy", hint=_("Try again later."))


def _uploaded_classes(upload: Upload) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo.of_row(found) for found in upload.analysis["classes"])


def _checked_map(upload: Upload, classes: Mapping[str, str | None]) -> dict[str, str | None]:
    """The mapping without what it does not change. Raises `Invalid` where it cannot be followed."""
    try:
        remapped(_uploaded_classes(upload), classes)
    except ValueError as error:
        message = _(
            "The class “%(name)s” cannot be mapped: it does not exist, is no fit name, or has other keypoints."
        ) % {"name": error}
        raise Invalid(message, code="class_map", fields={"classes": [message]}) from None
    return {old: new for old, new in classes.items() if old != new}


def _actor(upload: Upload) -> Actor:
    """Who asked for the publication, with the roles of now; they may have been lost meanwhile."""
    if upload.published_by is None:
        return Actor.anonymous()
    return Actor.of(upload.published_by, organization_id=upload.dataset.organization_id, via=Via.SYSTEM, narrow=False)


def _merged(upload: Upload, dataset: Dataset) -> _Classes:
    """Merges the upload's classes into the dataset's by name; ids that are in use keep their meaning."""
    uploaded, renamed = remapped(_uploaded_classes(upload), upload.class_map)
    revision = Revision.objects.filter(dataset=dataset, no=dataset.revision_no).first()
    known = [ClassInfo.of_row(found) for found in revision.classes] if revision else []
    if upload.mode == PublishMode.REPLACE or not known:
        return _Classes(list(uploaded), _changed_ids(renamed))
    if "yolo.classes_inferred" in upload.analysis["defect_counts"] and not upload.class_map:
        # The upload names no classes: its numbers mean those of the dataset.
        if len(uploaded) > len(known):
            raise Invalid(
                _("The labels use class %(value)s; the dataset has %(classes)s classes.")
                % {"value": len(uploaded) - 1, "classes": len(known)},
                code="class_range",
                hint=_("Add a data.yaml that names the classes."),
            )
        return _Classes(known, None)
    table = {info.name: info for info in known}
    for info in uploaded:
        if table.setdefault(info.name, info).keypoints != info.keypoints:
            raise Invalid(
                _("The class “%(name)s” has other keypoints in the dataset.") % {"name": info.name},
                code="keypoints_differ",
                hint=_("Give the class another name, or replace everything."),
            )
    if len(table) > MOST_CLASSES:
        raise Invalid(_("There would be too many classes."), code="too_many_classes")
    numbers = {name: number for number, name in enumerate(table)}
    ids = {old: None if new is None else numbers[uploaded[new].name] for old, new in renamed.items()}
    return _Classes(list(table.values()), _changed_ids(ids))


def _changed_ids(ids: dict[int, int | None]) -> dict[int, int | None] | None:
    return None if all(old == new for old, new in ids.items()) else ids


def _sources(folder: UploadFolder) -> dict[str, Path]:
    """Digest → a staged file with this content."""
    root = folder.analysed
    return {row["sha256"]: root / row["path"] for row in _lines(folder.items)}


def _lines(items: Path) -> Iterator[dict[str, Any]]:
    with items.open(encoding="utf-8") as source:
        for line in source:
            yield json.loads(line)


def _rows(folder: UploadFolder, ids: dict[int, int | None] | None) -> Iterator[statements.Row]:
    warned = frozenset(json.loads(folder.warned.read_text(encoding="utf-8"))) if folder.warned.is_file() else ()
    looks = read_looks(folder)
    for line in _lines(folder.items):
        document = line.get("document")
        annotation = None if document is None else _annotation(document, ids)
        look = looks.get(line["sha256"])
        yield statements.Row(
            path=line["path"],
            bucket=hashlib.sha256(line["path"].encode()).digest()[0],
            sha256=line["sha256"],
            size=line["size"],
            media_type=line["type"],
            is_image="width" in line,
            width=line.get("width"),
            height=line.get("height"),
            split=line.get("split", ""),
            annotation=None if annotation is None else annotation.digest(),
            document=None if annotation is None else annotation.canonical().decode(),
            class_ids=[] if annotation is None else annotation.class_ids,
            box_count=0 if annotation is None else len(annotation.objects),
            # An image is warned of by its own name or by that of its label.
            has_warnings="width" in line and (line["path"] in warned or line.get("label") in warned),
            look=look,
            look_cell=cell_of(look) if look else None,
        )


def _annotation(document: dict[str, Any], ids: dict[int, int | None] | None) -> Annotation:
    found = Annotation.from_document(document)
    return found if ids is None else found.reclassed(ids)
