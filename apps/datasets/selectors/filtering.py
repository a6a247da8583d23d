"""What a list of images is narrowed to."""

import string
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from django.core.cache import cache
from django.db.models import BooleanField, ExpressionWrapper, Min, OuterRef, Q, QuerySet, Subquery

from apps.datasets.models import (
    FILE_NAME,
    SIDES,
    SIZE_NUMBER,
    Blob,
    Dataset,
    ImageDefect,
    Item,
    Revision,
    SplitPlan,
    TaggedImage,
)
from apps.datasets.selectors.splits import only_split

if TYPE_CHECKING:
    from apps.datasets.selectors.splits import SplitEntry

#: So many names that begin alike are looked up one by one.
FEW = 1000
#: How long it is remembered which image is the first of those that begin alike: a revision never changes that.
FIRST_SECONDS = 3600
#: A number that no item reaches.
BEYOND_ITEMS = 2**63 - 1
#: Small letters for capital ones, as `FILE_NAME` has them: of ASCII alone.
LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


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
    if wanted.size in SIDES:
        # Large pictures may all be those that came last: an order of their own, not one to be searched through.
        rows = rows.alias(size_number=SIZE_NUMBER).filter(size_number=list(SIDES).index(wanted.size))
    rows = _of_side(rows, wanted.min_side, wanted.max_side)
    if wanted.uploader_id or wanted.since or wanted.until:
        rows = rows.filter(from_revision__in=_revisions(dataset, wanted))
    if wanted.tag:
        tagged = TaggedImage.objects.filter(tag__dataset=dataset, tag__name=wanted.tag)
        rows = rows.filter(item_id__in=tagged.values("item_id"))
    if wanted.search:
        rows = _of_name(rows, dataset, wanted.search)
    return _of_defect(rows, dataset, wanted.defect)


def _of_name(rows: "QuerySet[SplitEntry]", dataset: Dataset, text: str) -> "QuerySet[SplitEntry]":
    """Those whose path begins so, or whose file's name does, whatever its capitals.

    Few are looked up by the indexes and named one by one. Many are met soon when the images are read in order, from the
    first of them on; each is compared by itself, since a join would collect all of them for every page.
    """
    path_begins, name_begins = Q(path__startswith=text), Q(file_name__startswith=text.translate(LOWERED))
    items = Item.objects.filter(dataset=dataset).alias(file_name=FILE_NAME)
    # Two questions, as each has an index of its own.
    either = [items.filter(path_begins), items.filter(name_begins)]
    found = {pk for one in either for pk in one.order_by()[: FEW + 1].values_list("pk", flat=True)}
    if len(found) <= FEW:
        return rows.filter(item_id__in=found)
    key = f"images-named:{dataset.pk}:{dataset.revision_no}:{sha256(text.encode()).hexdigest()}"
    if (first := cache.get(key)) is None:
        first = min(one.aggregate(first=Min("pk"))["first"] or BEYOND_ITEMS for one in either)
        cache.set(key, first, FIRST_SECONDS)
    item = Item.objects.filter(pk=OuterRef("item_id")).annotate(file_name=FILE_NAME)
    is_named = item.annotate(is_named=ExpressionWrapper(path_begins | name_begins, BooleanField()))
    return (
        rows.filter(item_id__gte=first).alias(is_named=Subquery(is_named.values("is_named")[:1])).filter(is_named=True)
    )


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
