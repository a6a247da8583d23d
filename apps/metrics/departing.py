"""Points of an organization's jobs go ahead of their series: nothing in the database ties the two together."""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal
from apps.metrics.models import Point, Rollup, Series


def _points(organization_id: UUID) -> QuerySet[Point]:
    return Point.objects.filter(series__in=_series(organization_id))


def _rollups(organization_id: UUID) -> QuerySet[Rollup]:
    return Rollup.objects.filter(series__in=_series(organization_id))


def _series(organization_id: UUID) -> QuerySet[Series]:
    return Series.objects.filter(job__organization_id=organization_id)


CONTRIBUTION = Contribution(removals=tuple(map(Removal, (_points, _rollups, _series))))
