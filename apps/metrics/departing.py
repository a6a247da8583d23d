"""Points of an organization's or a project's jobs go ahead of their series: nothing in the database ties the two together."""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal
from apps.departures.removing import steps_of
from apps.metrics.models import Point, Rollup, Series
from apps.projects.contents import Contents


def removals(within: str) -> tuple[Removal, ...]:
    """`within` is the field of a job that the id is of."""

    def series(key: UUID) -> QuerySet[Series]:
        return Series.objects.filter(**{f"job__{within}": key})

    return (
        Removal(lambda key: Point.objects.filter(series__in=series(key))),
        Removal(lambda key: Rollup.objects.filter(series__in=series(key))),
        Removal(series),
    )


CONTRIBUTION = Contribution(removals=removals("organization_id"))
CONTENTS = Contents(steps_of(removals("project_id")))
