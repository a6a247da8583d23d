"""What a snapshot hands to a training."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from apps.datasets.models import Entry, Snapshot, Split, SplitPlan
from apps.datasets.selectors.splits import with_split

if TYPE_CHECKING:
    from apps.datasets.selectors.splits import SplitEntry

CONTRACT = 1
CHUNK = 2000


def snapshot_entries(snapshot: Snapshot) -> "QuerySet[SplitEntry]":
    """What a training gets: the labelled images that are in a split, with `in_split`, in path order."""
    rows = Entry.objects.at(snapshot.dataset_id, snapshot.revision.no).images().filter(annotation__isnull=False)
    return with_split(rows, snapshot.split_plan).filter(in_split__in=Split.values).order_by("item__path")


def manifest_lines(snapshot: Snapshot) -> Iterator[str]:
    """The dataset of a job as JSON lines (docs/trainer-contract.md): the manifest, to which the launcher adds `root` and
    from which it takes `split` into a file of its own, then one item a line in path order. Streams: the rows come by a
    server-side cursor."""
    yield json.dumps(
        {
            "contract": CONTRACT,
            "name": snapshot.dataset.name,
            "task": snapshot.dataset.task,
            "root_hash": snapshot.root_hash,
            "classes": snapshot.revision.classes,
            "counts": {split: snapshot.counts[split] for split in Split.values},
            "split": _split_facts(snapshot.split_plan),
        }
    )
    rows = snapshot_entries(snapshot).values_list(
        "item__path", "in_split", "width", "height", "blob__sha256", "blob__size", "annotation__document"
    )
    for path, split, width, height, sha256, size, document in rows.iterator(chunk_size=CHUNK):
        yield json.dumps(
            {
                "path": path,
                "split": split,
                "width": width,
                "height": height,
                "sha256": sha256,
                "size": size,
                "annotations": document["objects"],
            }
        )


def _split_facts(plan: SplitPlan) -> dict[str, Any]:
    """What a trainer is told of how the images were divided: enough to divide them so again."""
    return {
        name: getattr(plan, name) for name in ("level", "method", "seed", "ratios", "pattern", "moved_count", "digest")
    }


def snapshot_has_blob(snapshot: Snapshot, sha256: str) -> bool:
    """Whether an image of the snapshot has this content: what an attempt may read."""
    rows = Entry.objects.at(snapshot.dataset_id, snapshot.revision.no).images()
    return rows.filter(blob__sha256=sha256, blob__organization_id=snapshot.dataset.organization_id).exists()
