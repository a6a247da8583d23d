"""What is known of the files in the store: checks, what is in quarantine, and what is there more than once."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery

from apps.core.identity import Actor
from apps.datasets.models import Blob, Dataset, Entry, IntegrityCheck, Revision


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


def _hashed(actor: Actor) -> Any:
    head = Revision.objects.filter(dataset=OuterRef("pk"), no=OuterRef("revision_no")).values("root_hash")[:1]
    rows = Dataset.objects.visible(actor).filter(revision_no__gt=0).annotate(root_hash=Subquery(head))
    if actor.organization_id is not None:
        rows = rows.filter(organization=actor.organization_id)
    return rows.filter(root_hash__gt="").annotate(hash_organization=F("organization_id"))
