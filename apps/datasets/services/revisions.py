"""The next revision of a dataset, when its entries are written."""

from typing import Any

from apps.core.identity import Actor
from apps.datasets.models import Dataset, Revision
from apps.datasets.services import statements


def next_revision(
    actor: Actor,
    dataset: Dataset,
    classes: list[dict[str, Any]],
    moved: statements.Moved,
    *,
    note: str = "",
    restored_from: int | None = None,
    totals: dict[str, int] | None = None,
) -> Revision:
    """The row of it, and the dataset's counters; inside the caller's operation, which holds the dataset's lock.

    `totals`, where the caller knows them, are what `statements.totals` counts.
    """
    totals = statements.totals(dataset.pk) if totals is None else totals
    revision = Revision.objects.create(
        dataset=dataset,
        no=dataset.revision_no + 1,
        classes=classes,
        counts={**totals, "added": moved.added, "changed": moved.changed, "removed": moved.removed},
        note=note,
        restored_from=restored_from,
        created_by=actor.user,
    )
    dataset.change(
        revision_no=revision.no,
        image_count=totals["images"],
        labelled_count=totals["labelled"],
        box_count=totals["boxes"],
        file_count=totals["files"],
        byte_count=totals["bytes"],
    )
    return revision
