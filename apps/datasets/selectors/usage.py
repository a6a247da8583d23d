"""What a dataset is used for. The apps above, which this one does not know, say so through a register."""

import datetime
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.datasets.models import Blob, Dataset


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that used a dataset; `href` is its page. `snapshot_id` is None while it has not fixed its data."""

    id: UUID
    name: str
    kind: str
    state: str
    color: str
    time: datetime.datetime
    href: str
    snapshot_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which uses are asked for: the newest `limit` before a moment, of some snapshots or (None) of the dataset."""

    limit: int = 20
    snapshots: Collection[UUID] | None = None
    before: datetime.datetime | None = None


UsageSource = Callable[[Actor, Dataset, UsageQuery], Iterable[Use]]
_sources: list[UsageSource] = []


def register_usage(source: UsageSource) -> None:
    """`source(actor, dataset, query)` names the newest uses that the actor may see, newest first."""
    _sources.append(source)


def usage_of(actor: Actor, dataset: Dataset, query: UsageQuery | None = None) -> list[Use]:
    """The uses that the query asks for, newest first."""
    query = query or UsageQuery()
    found = [use for source in _sources for use in source(actor, dataset, query)]
    return sorted(found, key=lambda use: use.time, reverse=True)[: query.limit]


def datasets_for_choice(actor: Actor) -> PermittedQuerySet[Dataset]:
    """Datasets of the chosen organization that the actor may train on, by name; those without a revision are left
    out."""
    rows = Dataset.objects.permitted(actor, "datasets.use_dataset")
    rows = rows.filter(organization=actor.organization_id, revision_no__gt=0)
    return rows.order_by("name")


def stored_bytes(organization_id: UUID) -> int:
    """What the organization's files weigh; the same content counts once."""
    return Blob.objects.filter(organization_id=organization_id).aggregate(total=Sum("size"))["total"] or 0
