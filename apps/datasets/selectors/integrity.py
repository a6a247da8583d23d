"""What is known of the files in the store: checks, what is in quarantine, and what is there more than once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery

from apps.core.identity import Actor
from apps.datasets.models import Blob, Dataset, Entry, IntegrityCheck, Revision
from apps.datasets.selectors.splits import split_in_force, with_split

if TYPE_CHECKING:
    from apps.datasets.selectors.splits import SplitEntry


def latest_check(dataset: Dataset) -> IntegrityCheck | None:
    return IntegrityCheck.objects.filter(dataset=dataset).select_related("dataset", "created_by").first()


def damaged_files(dataset: Dataset) -> QuerySet[Entry]:
    """Files of any revision whose bytes are missing or changed, by entry: pages by key."""
    damaged = Blob.objects.filter(organization=dataset.organization_id).exclude(damage="")
    return Entry.objects.filter(dataset=dataset, blob__in=damaged).select_related("item", "blob").order_by("id")


def damaged_now(dataset: Dataset) -> QuerySet[Entry]:
    """Those of them that the dataset holds now."""
    return damaged_files(dataset).filter(to_revision__isnull=True)


@dataclass(frozen=True, slots=True)
class Same:
    """Datasets that hold the same: paths, bytes, labels, uploaded splits, classes."""

    root_hash: str
    datasets: list[Dataset]


def duplicate_sets(actor: Actor, *, after: str = "", size: int = 50) -> list[Same]:
    """Datasets of the chosen organization that the actor sees and that hold the same, in the order of their hashes."""
    rows = _hashed(actor)
    hashes = rows.values("root_hash").annotate(count=Count("pk")).filter(count__gt=1, root_hash__gt=after)
    wanted = list(hashes.order_by("root_hash").values_list("root_hash", flat=True)[:size])
    found: dict[str, list[Dataset]] = {root_hash: [] for root_hash in wanted}
    for dataset in rows.filter(root_hash__in=wanted).select_related("project").order_by("pk"):
        found[dataset.root_hash].append(dataset)
    return [Same(root_hash, datasets) for root_hash, datasets in found.items()]


def same_as(actor: Actor, dataset: Dataset) -> list[Dataset]:
    """Others that hold the same as the dataset, as far as the actor sees them."""
    revision = Revision.objects.filter(dataset=dataset, no=dataset.revision_no).exclude(root_hash="").first()
    if revision is None:
        return []
    rows = _hashed(actor).filter(root_hash=revision.root_hash, organization=dataset.organization_id)
    return list(rows.exclude(pk=dataset.pk).select_related("project").order_by("pk"))


def duplicate_images(dataset: Dataset, *, after: int = 0, size: int = 50) -> list[tuple[Blob, list[Entry]]]:
    """Pictures that the dataset holds under several paths, with the entries of each, by blob."""
    rows = Entry.objects.head(dataset.pk).images()
    several = rows.filter(blob_id__gt=after).values("blob_id").annotate(count=Count("pk")).filter(count__gt=1)
    wanted = list(several.order_by("blob_id").values_list("blob_id", flat=True)[:size])
    found: dict[int, list[Entry]] = {pk: [] for pk in wanted}
    for entry in rows.filter(blob_id__in=wanted).select_related("item", "blob").order_by("item_id"):
        found[entry.blob_id].append(entry)
    return [(entries[0].blob, entries) for entries in found.values() if entries]


@dataclass(frozen=True, slots=True)
class Alike:
    """Pictures that look alike, the first of each group first, each with `in_split`."""

    images: "list[SplitEntry]"

    @property
    def leaks(self) -> bool:
        """Whether they are in several splits."""
        return len({entry.in_split for entry in self.images if entry.in_split}) > 1


def alike_images(dataset: Dataset, *, size: int = 100) -> tuple[int | None, list[Alike]]:
    """How many pictures of the newest revision were compared by what they look like, None before a worker has done it,
    and the first groups that look alike; two queries."""
    revision = Revision.objects.filter(dataset=dataset, no=dataset.revision_no).first()
    if revision is None or revision.alike is None:
        return None, []
    groups = revision.alike["groups"][:size]
    rows = with_split(Entry.objects.head(dataset.pk).images(), split_in_force(dataset))
    wanted = rows.filter(item__in=[pk for group in groups for pk in group]).select_related("item", "blob")
    entries = {entry.item_id: entry for entry in wanted}
    found = [Alike([entries[pk] for pk in group if pk in entries]) for group in groups]
    return revision.alike["compared"], [group for group in found if len(group.images) > 1]


def elsewhere_seen(actor: Actor, counts: Mapping[str, int]) -> list[tuple[Dataset, int]]:
    """Of `Upload.elsewhere` the datasets that the actor sees, those with the most pictures first."""
    rows = Dataset.objects.visible(actor).filter(pk__in=counts).select_related("project") if counts else ()
    return sorted(((dataset, counts[str(dataset.pk)]) for dataset in rows), key=lambda found: (-found[1], found[0].pk))


def _hashed(actor: Actor) -> Any:
    head = Revision.objects.filter(dataset=OuterRef("pk"), no=OuterRef("revision_no")).values("root_hash")[:1]
    rows = Dataset.objects.visible(actor).filter(revision_no__gt=0).annotate(root_hash=Subquery(head))
    if actor.organization_id is not None:
        rows = rows.filter(organization=actor.organization_id)
    return rows.filter(root_hash__gt="").annotate(hash_organization=F("organization_id"))
