"""Experiments and runs go with their organization, and their twins into MLflow's trash under a name that says nothing."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.core.outbox import put
from apps.departures.contributions import Contribution, Removal
from apps.experiments.models import Experiment, Run
from apps.experiments.services.mirror import ERASE


def _runs(organization_id: UUID) -> QuerySet[Run]:
    return Run.objects.filter(organization_id=organization_id)


def _experiments(organization_id: UUID) -> QuerySet[Experiment]:
    return Experiment.objects.filter(organization_id=organization_id)


def _with_twins(rows: QuerySet[Any]) -> None:
    for pk in rows.values_list("pk", flat=True):
        put(ERASE, {"id": str(pk)}, group=f"experiment:{pk}")


CONTRIBUTION = Contribution(removals=(Removal(_runs), Removal(_experiments, within=_with_twins)))
