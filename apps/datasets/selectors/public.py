"""What readers of other organizations are shown of a dataset: the versions that were made public, and nothing else.

Doors for them ask here and nowhere else: whatever asks `view_dataset` stays closed to them. The rows are the same, so a
door takes care which of their columns it gives out: no person, no project, no note, no tag of an image.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import F, Func, OuterRef, Subquery
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor
from apps.datasets.models import Dataset, Entry, Revision, Snapshot, Visibility
from apps.datasets.querysets import DatasetQuerySet, EntryQuerySet
from apps.datasets.selectors.filtering import ImageFilter, narrowed
from apps.datasets.selectors.splits import with_split_by_page
from apps.datasets.selectors.versions import HEAD, Version, version_named

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from apps.datasets.selectors.splits import SplitEntry

READ = "datasets.read_dataset"


@dataclass(frozen=True, slots=True)
class PublicVersion:
    """A public version and the tags that it goes by."""

    revision: Revision
    tags: list[str]

    @property
    def name(self) -> str:
        return f"r{self.revision.no}"


def public_datasets(actor: Actor) -> DatasetQuerySet:
    """The datasets whose public versions the actor may read; of what is public, also to those who run the platform."""
    rows = Dataset.objects.permitted(actor, READ).filter(visibility=Visibility.PUBLIC)
    return rows.select_related("organization", "split_plan__base")


def public_dataset(actor: Actor, pk: Any) -> Dataset:
    """One of them. Raises `NotFound`."""
    try:
        return public_datasets(actor).get(pk=pk)
    except (Dataset.DoesNotExist, ValueError, ValidationError) as error:
        raise NotFound() from error


def is_readable(actor: Actor, dataset: Dataset) -> bool:
    """Whether it may be read now: asked again while something long is sent."""
    return public_datasets(actor).filter(pk=dataset.pk).exists()


def is_outsider(actor: Actor, dataset: Dataset) -> bool:
    """Whether the reader belongs to another organization."""
    return not actor.is_platform and dataset.organization_id not in actor.memberships


def public_version(dataset: Dataset, name: str = HEAD) -> Version:
    """The public version of this name; `head` is the one that was made public last. Raises `Invalid` for every other
    name, also for one that only the dataset's own people know."""
    wanted = f"r{dataset.public_revisions[-1]}" if name == HEAD else name
    found = version_named(dataset, wanted)
    if found.no not in dataset.public_revisions:
        message = _("The dataset has no version of this name.")
        hint = _("Give the tag of a snapshot, r and the number of a revision, or head.")
        raise Invalid(message, code="version_unknown", hint=hint, fields={"version": [message]})
    return found


def public_versions(dataset: Dataset) -> list[PublicVersion]:
    """What is public, the last one first."""
    tags: dict[int, list[str]] = defaultdict(list)
    rows = Snapshot.objects.filter(dataset=dataset, revision__no__in=dataset.public_revisions).order_by("no")
    for no, tag in rows.values_list("revision__no", "tag"):
        tags[no].append(tag)
    found = Revision.objects.filter(dataset=dataset, no__in=dataset.public_revisions)
    by_no = {revision.no: revision for revision in found}
    return [PublicVersion(by_no[no], tags[no]) for no in reversed(dataset.public_revisions)]


def images_in(version: Version, wanted: ImageFilter | None = None) -> "QuerySet[SplitEntry]":
    """The images of a version, with `in_split` of its plan, ordered by item: pages by key."""
    dataset = version.dataset
    rows = with_split_by_page(_entries(version).images(), version.plan)
    rows = narrowed(rows, dataset, version.plan, wanted or ImageFilter())
    return rows.prefetch_related("item", "blob", "annotation").order_by("item_id")


def image_in(version: Version, item_id: int) -> Entry:
    """The image at an item of a version. Raises `NotFound`."""
    try:
        return images_in(version).get(item_id=item_id)
    except (Entry.DoesNotExist, ValueError, OverflowError) as error:
        raise NotFound() from error


def public_address(
    dataset_id: Any, revision_no: int, item_id: int, sha256: str, what: str = "thumbnail?size=256"
) -> str:
    """Address of a small copy, or (`content`) of the original, at the readers' door; a browser may keep it for ever."""
    path = f"/api/v1/datasets/public/{dataset_id}/images/{item_id}/{what}"
    return f"{path}{'&' if '?' in what else '?'}version=r{revision_no}&v={sha256[:16]}"


def shown_revisions(datasets: Sequence[Dataset]) -> dict[Any, Revision]:
    """Dataset id → the revision that its readers are shown first; one query."""
    wanted = {dataset.pk: dataset.public_revisions[-1] for dataset in datasets}
    rows = Revision.objects.filter(dataset_id__in=list(wanted), no__in=set(wanted.values()))
    return {row.dataset_id: row for row in rows if wanted[row.dataset_id] == row.no}


def public_covers(datasets: Sequence[Dataset]) -> dict[Any, str]:
    """Dataset id → address of a small copy of an image that its last public version has and that is in it still, for
    those that have one; one query."""
    shown = {dataset.pk: dataset.public_revisions[-1] for dataset in datasets}
    last = Func(F("public_revisions"), template="(%(expressions)s)[array_upper(%(expressions)s, 1)]")
    rows = Dataset.objects.filter(pk__in=list(shown)).annotate(shown=last)
    entries = Entry.objects.images().filter(dataset_id=OuterRef("pk"), to_revision__isnull=True, blob__damage="")
    first = entries.filter(from_revision__lte=OuterRef("shown")).order_by("item_id")
    found = rows.annotate(
        cover=Subquery(first.values("item_id")[:1]), digest=Subquery(first.values("blob__sha256")[:1])
    )
    return {
        pk: public_address(pk, shown[pk], item_id, digest, "thumbnail?size=128")
        for pk, item_id, digest in found.values_list("pk", "cover", "digest")
        if item_id is not None
    }


def _entries(version: Version) -> EntryQuerySet:
    """Of the newest revision by the indexes of what is open; what another publishes at this moment is newer."""
    dataset = version.dataset
    if version.no != dataset.revision_no:
        return Entry.objects.at(dataset.pk, version.no)
    return Entry.objects.head(dataset.pk).filter(from_revision__lte=version.no)
