"""What a list of images is narrowed to."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import QuerySet

from apps.datasets.models import SIDES, Blob, Dataset, ImageDefect, Revision, SplitPlan, TaggedImage
from apps.datasets.selectors.splits import only_split

if TYPE_CHECKING:
    from apps.datasets.selectors.splits import SplitEntry


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """All of it at once; None and "" mean not at all, but `split` "" is for images of no split.

    `min_side` and `max_side` bound the longer side, as `size` does by name. `uploader_id`, `since` and `until` ask for
    the revision that brought the image as it is now.
    """

    class_id: int | None = None
    split: str | None = None
    labelled: bool | None = None
    size: str = ""
    min_side: int | None = None
    max_side: int | None = None
    defect: str = ""
    uploader_id: UUID | None = None
    since: date | None = None
    until: date | None = None
    tag: str = ""
    search: str = ""


def narrowed(
    rows: "QuerySet[SplitEntry]", dataset: Dataset, plan: SplitPlan, wanted: ImageFilter
) -> "QuerySet[SplitEntry]":
    """Of the dataset's open images, with their split in the plan, those that are wanted."""
    if wanted.class_id is not None:
        rows = rows.filter(class_ids__contains=[wanted.class_id])
    if wanted.split is not None:
        rows = only_split(rows, plan, wanted.split)
    if wanted.labelled is not None:
        rows = rows.filter(annotation__isnull=not wanted.labelled)
    for shortest, longest in (SIDES.get(wanted.size, (None, None)), (wanted.min_side, wanted.max_side)):
        rows = _of_side(rows, shortest, longest)
    if wanted.uploader_id or wanted.since or wanted.until:
        rows = rows.filter(from_revision__in=_revisions(dataset, wanted))
    if wanted.tag:
        tagged = TaggedImage.objects.filter(tag__dataset=dataset, tag__name=wanted.tag)
        rows = rows.filter(item_id__in=tagged.values("item_id"))
    if wanted.search:
        rows = rows.filter(item__path__icontains=wanted.search)
    return _of_defect(rows, dataset, wanted.defect)


def _of_side(rows: "QuerySet[SplitEntry]", shortest: int | None, longest: int | None) -> "QuerySet[SplitEntry]":
    if shortest is None and longest is None:
        return rows
    if shortest is not None:
        rows = rows.filter(side__gte=shortest)
    return rows if longest is None else rows.filter(side__lte=longest)


def _of_defect(rows: "QuerySet[SplitEntry]", dataset: Dataset, defect: str) -> "QuerySet[SplitEntry]":
    blobs = Blob.objects.filter(organization=dataset.organization_id)
    if defect == ImageDefect.WARNED:
        return rows.filter(has_warnings=True)
    if defect == ImageDefect.UNSOUND:
        return rows.filter(blob__in=blobs.filter(is_sound=False))
    if defect == ImageDefect.QUARANTINED:
        return rows.filter(blob__in=blobs.exclude(damage=""))
    return rows


def _revisions(dataset: Dataset, wanted: ImageFilter) -> list[int]:
    """Numbers of the revisions by this person, of these days."""
    found = Revision.objects.filter(dataset=dataset)
    if wanted.uploader_id:
        found = found.filter(created_by=wanted.uploader_id)
    if wanted.since:
        found = found.filter(created_at__date__gte=wanted.since)
    if wanted.until:
        found = found.filter(created_at__date__lte=wanted.until)
    return list(found.order_by().values_list("no", flat=True))
