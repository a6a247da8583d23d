"""What an export would be: its task, its split, its images, and what its format forces to be lost."""

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from apps.core.errors import Invalid
from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.losses import describe_loss
from apps.datasets.formats.model import Annotation
from apps.datasets.formats.registry import FORMATS
from apps.datasets.formats.writing import WritableItem
from apps.datasets.models import Blob, Dataset, Entry, Export, ExportFormat, SplitPlan
from apps.datasets.querysets import EntryQuerySet
from apps.datasets.selectors.choosing import ImageChoice, images_chosen, label_items
from apps.datasets.selectors.splits import with_split
from apps.datasets.selectors.versions import Version

#: Images whose labels are in memory at once.
CHUNK = 100
#: Images that a preview writes, for nobody, to see what is lost; and for how long it does, since a page waits.
LOOKED_AT, SECONDS = 2000, 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """A version, and what it is to be written as. `task` is "" and `plan` None where the files stay as they came.

    `images` are item → path of those of the version that it is narrowed to, None for all of it; `labels` then the items
    of the files that come along, where the files stay as they came.
    """

    version: Version
    format: ExportFormat
    task: str
    plan: SplitPlan | None
    images: Mapping[int, str] | None = None
    labels: Sequence[int] = ()

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        return tuple(map(ClassInfo.of_row, self.version.revision.classes))

    @property
    def only(self) -> list[int] | None:
        """Items of the files that it is narrowed to."""
        return None if self.images is None else [*self.images, *self.labels]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an export would hold. `looked_at` of the `images` were tried for the losses: all, unless that is too much.

    `damaged` files are in quarantine."""

    target: Target
    images: int
    files: int
    bytes: int
    damaged: int
    looked_at: int
    losses: list[dict[str, Any]] = field(default_factory=list)


def tasks_for(format: str, dataset: Dataset) -> tuple[str, ...]:
    """What the labels of a dataset can be written for in a format, the task that costs least first; () for none."""
    if format == ExportFormat.NATIVE:
        return ("",)
    return FORMATS[format].targets.get(dataset.task, ())


def target_of(version: Version, format: str, task: str = "") -> Target:
    """What is asked for. Raises `Invalid` where the labels have no place in the format, or not for the task."""
    tasks = tasks_for(format, version.dataset)
    wanted = ExportFormat(format)
    if not tasks:
        message = _("Labels of this dataset have no place in %(format)s.") % {"format": wanted.label}
        hint = _("Choose another format: DICE takes all of them.")
        raise Invalid(message, code="export_format", hint=hint, fields={"format": [message]})
    if task and task not in tasks:
        message = _("The labels cannot be written for this task in %(format)s.") % {"format": wanted.label}
        raise Invalid(message, code="export_task", fields={"task": [message]}, params={"tasks": list(tasks)})
    plan = None if wanted == ExportFormat.NATIVE else version.plan
    return Target(version, wanted, task or tasks[0], plan)


def chosen_in(target: Target, choice: ImageChoice) -> Target:
    """The target narrowed to the images that are chosen. Raises `Invalid` for none, for too many and for a version that
    is not the newest content, `Conflict` where some of them are not in the dataset."""
    dataset = target.version.dataset
    if target.version.no != dataset.revision_no:
        message = _("Images are chosen from what the dataset holds now, and this version is an earlier one.")
        hint = _("Leave the version out, or export all of it.")
        raise Invalid(message, code="images_of_earlier", hint=hint, fields={"version": [message]})
    return narrowed_to(target, images_chosen(dataset, choice))


def narrowed_to(target: Target, images: Mapping[int, str]) -> Target:
    """The target with these images of its version alone. As they came they bring the files along that hold the labels of
    one of them each; what describes the whole set speaks of other images, and stays."""
    if target.format != ExportFormat.NATIVE:
        return replace(target, images=images)
    rows = Entry.objects.at(target.version.dataset.pk, target.version.no)
    return replace(target, images=images, labels=label_items(rows, list(images.values())))


def files_in(target: Target) -> EntryQuerySet:
    """The files of the version that the export is made of: all of them, or its images; of what it is narrowed to."""
    rows = Entry.objects.at(target.version.dataset.pk, target.version.no)
    if target.only is not None:
        rows = rows.filter(item_id__in=target.only)
    return rows if target.format == ExportFormat.NATIVE else rows.images()


def damaged_in(target: Target) -> EntryQuerySet:
    """Those of them that are in quarantine, in path order."""
    damaged = Blob.objects.filter(organization=target.version.dataset.organization_id).exclude(damage="")
    return files_in(target).filter(blob__in=damaged).order_by("item__path")


def writable_items(target: Target, *, every: int = 1) -> Iterator[WritableItem]:
    """The images of the version in path order, without those in quarantine, as writers take them; of many, one of
    `every` so many. Streams: the rows come by a server-side cursor."""
    assert target.plan is not None
    rows = with_split(files_in(target), target.plan).filter(blob__damage="")
    if every > 1:
        rows = rows.annotate(turn=F("item_id") % every).filter(turn=0)
    found = rows.order_by("item__path").values_list(
        "item__path", "in_split", "width", "height", "blob__sha256", "blob__size", "annotation__document"
    )
    for path, split, width, height, sha256, size, document in found.iterator(chunk_size=CHUNK):
        assert width and height, "an image has a size"
        annotation = None if document is None else Annotation.from_document(document)
        yield WritableItem(path, split or None, width, height, annotation, sha256=sha256, size=size)


def preview_of(target: Target) -> Preview:
    """Counts, and the losses that the format's own writer finds in the labels, of some images where there are many."""
    counts = files_in(target).aggregate(
        images=Count("pk", filter=Q(is_image=True)), files=Count("pk"), bytes=Sum("blob__size", default=0)
    )
    damaged = damaged_in(target).count()
    if target.plan is None:
        return Preview(target, **counts, damaged=damaged, looked_at=counts["images"])
    every = math.ceil(counts["images"] / LOOKED_AT) or 1
    looked_at, end = 0, time.monotonic() + SECONDS

    def tried() -> Iterator[WritableItem]:
        nonlocal looked_at
        for item in writable_items(target, every=every):
            yield item
            looked_at += 1
            if time.monotonic() > end:
                return

    with tempfile.TemporaryDirectory(prefix="modelyard-preview-") as folder:
        written = FORMATS[target.format].write(tried(), target.classes, Path(folder, "set"), task=target.task)
    return Preview(target, **counts, damaged=damaged, looked_at=looked_at, losses=written.losses.as_list())


def worded(losses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Losses with their sentences in the active language."""
    return [{**loss, "text": describe_loss(loss["code"], loss["count"])} for loss in losses]


def exports_of(dataset: Dataset) -> QuerySet[Export]:
    """Newest first, without which images were chosen."""
    rows = Export.objects.filter(dataset=dataset).defer("chosen")
    return rows.select_related("dataset", "revision", "split_plan", "created_by")
