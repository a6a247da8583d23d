"""What a dataset is used for. The apps above, which this one does not know, say so through a register."""

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.datasets.models import Blob, Dataset


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that used a dataset; `href` is its page. `snapshot_id` is None while it has not fixed its data; a
    `planned` one names the snapshot and has not begun."""

    id: UUID
    name: str
    kind: str
    state: str
    color: str
    time: datetime.datetime
    href: str
    snapshot_id: UUID | None = None
    planned: bool = False


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which uses are asked for: the newest `limit` before a moment, of some snapshots or (None) of the dataset; of
    snapshots with those that are `planned`, or without."""

    limit: int = 20
    snapshots: Collection[UUID] | None = None
    before: datetime.datetime | None = None
    planned: bool = False


UsageSource = Callable[[Actor, Dataset, UsageQuery], Iterable[Use]]
#: Rows of every use that the actor may see, with `dataset_id`, `snapshot_id` and `used_at`.
UsageRows = Callable[[Actor], QuerySet[Any]]
_sources: list[tuple[UsageSource, UsageRows]] = []


def register_usage(source: UsageSource, rows: UsageRows) -> None:
    """`source(actor, dataset, query)` names the newest uses that the actor may see, newest first; `rows(actor)` is what
    they are counted by."""
    _sources.append((source, rows))


def usage_of(actor: Actor, dataset: Dataset, query: UsageQuery | None = None) -> list[Use]:
    """The uses that the query asks for, newest first."""
    query = query or UsageQuery()
    found = [use for source, _rows in _sources for use in source(actor, dataset, query)]
    return sorted(found, key=lambda use: use.time, reverse=True)[: query.limit]


def uses_by_day(
    actor: Actor, dataset: Dataset, *, days: int = 30, snapshots: Collection[UUID] | None = None
) -> dict[datetime.date, int]:
    """How often the dataset, or some of its snapshots, was used on each of the last days; days without a use too."""
    today = timezone.localdate()
    found = {today - datetime.timedelta(days=ago): 0 for ago in range(days - 1, -1, -1)}
    for _source, rows_of in _sources:
        rows = rows_of(actor).filter(dataset=dataset)
        if snapshots is not None:
            rows = rows.filter(snapshot_id__in=snapshots)
        rows = rows.annotate(day=TruncDate("used_at")).filter(day__gte=min(found))
        for day, count in rows.order_by().values_list("day").annotate(Count("pk")):
            found[day] = found.get(day, 0) + count
    return found


def use_counts(actor: Actor, datasets: Collection[UUID]) -> dict[UUID, int]:
    """How often each of the datasets was used, as far as the actor may see it."""
    counts: Counter[UUID] = Counter()
    for _source, rows_of in _sources:
        rows = rows_of(actor).filter(dataset__in=datasets)
        counts.update(dict(rows.order_by().values_list("dataset_id").annotate(Count("pk"))))
    return dict(counts)


def needing(datasets: Collection[UUID]) -> dict[UUID, int]:
    """How many uses refer to each of the datasets, whoever may see them: with one, it stays."""
    return use_counts(Actor.system("trash"), datasets)


def most_used(actor: Actor, *, days: int = 30, limit: int = 20) -> list[tuple[Dataset, int]]:
    """The datasets of the chosen organization that were used most in the last days, most used first."""
    since = timezone.now() - datetime.timedelta(days=days)
    visible = Dataset.objects.visible(actor)
    if actor.organization_id is not None:
        visible = visible.filter(organization=actor.organization_id)
    counts: Counter[UUID] = Counter()
    for _source, rows_of in _sources:
        rows = rows_of(actor).filter(dataset__in=visible.order_by().values("pk"), used_at__gte=since)
        counts.update(dict(rows.order_by().values_list("dataset_id").annotate(Count("pk"))))
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    datasets = visible.select_related("project").in_bulk([pk for pk, _count in top])
    return [(datasets[pk], count) for pk, count in top]


def datasets_for_choice(actor: Actor) -> PermittedQuerySet[Dataset]:
    """Datasets of the chosen organization that the actor may train on, by name; those without a revision are left
    out."""
    rows = Dataset.objects.permitted(actor, "datasets.use_dataset")
    rows = rows.filter(organization=actor.organization_id, revision_no__gt=0)
    return rows.order_by("name")


def stored_bytes(organization_ids: Collection[UUID]) -> int:
    """What the organizations' files weigh; the same content counts once in each."""
    return Blob.objects.filter(organization_id__in=organization_ids).aggregate(total=Sum("size"))["total"] or 0
