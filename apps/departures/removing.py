"""Taking rows away in batches, each in a transaction of its own: a pass may be broken off anywhere and goes on later."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.core.operations import ingest
from apps.departures.contributions import Removal

#: Rows that one transaction takes away.
BATCH = 1000

#: Takes away what hangs on the row of this id, until the moment (`time.monotonic`); whether nothing of it is left.
Step = Callable[[UUID, float], bool]


def steps_of(removals: Iterable[Removal]) -> tuple[Step, ...]:
    """The removals, in their order, as steps; their `rows` are asked for the id of whatever is deleted."""
    return tuple(partial(_remove, removal) for removal in removals)


def _remove(removal: Removal, key: UUID, until: float) -> bool:
    rows = removal.rows(key).order_by()
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        if time.monotonic() > until:
            return False
        batch = rows.model._base_manager.filter(pk__in=keys)
        if removal.ahead is not None:
            removal.ahead(batch)
        batch_remove(batch=batch, within=removal.within)
    return True


@ingest("departures.batch_remove")
def batch_remove(*, batch: QuerySet[Any], within: Callable[[QuerySet[Any]], None] | None) -> None:
    """One batch, with what hangs on it."""
    if within is not None:
        within(batch)
    batch.delete()
