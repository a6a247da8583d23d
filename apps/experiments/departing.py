"""What experiments put into an organization's export, and how they go with it: their twins
into MLflow's trash, under a name that says nothing."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.core.outbox import put
from apps.departures.contributions import Contribution, Removal, listed
from apps.departures.removing import Step, steps_of
from apps.experiments.models import Experiment, Run
from apps.experiments.services.mirror import ERASE
from apps.projects.contents import Contents


def _runs(organization_id: UUID) -> QuerySet[Run]:
    return Run.objects.filter(organization_id=organization_id, experiment__purged_at__isnull=True)


def _experiments(organization_id: UUID) -> QuerySet[Experiment]:
    """Without those that are being deleted for good: nobody sees them any more."""
    return Experiment.objects.filter(organization_id=organization_id, purged_at__isnull=True)


EXPERIMENTS = listed(
    "experiments",
    _experiments,
    {
        "id": ("pk", "Id of the experiment."),
        "project_id": ("project_id", "Id of its project."),
        "name": ("name", "Name."),
        "description": ("description", "Description."),
        "created_by": ("created_by_id", "Id of the person who made it; null: gone."),
        "created_at": ("created_at", "When it was made."),
        "deleted_at": ("deleted_at", "Since when it is in the trash; null: it is not."),
    },
)
RUNS = listed(
    "runs",
    _runs,
    {
        "id": ("pk", "Id of the run."),
        "experiment_id": ("experiment_id", "Id of its experiment."),
        "name": ("name", "Name."),
        "status": ("status", "How it is or ended, such as finished."),
        "params": ("params", "Parameters."),
        "tags": ("tags", "Tags."),
        "started_at": ("started_at", "When it started."),
        "ended_at": ("ended_at", "When it ended; null: it has not."),
    },
)


def _with_twins(rows: QuerySet[Any]) -> None:
    for pk in rows.values_list("pk", flat=True):
        put(ERASE, {"id": str(pk)}, group=f"experiment:{pk}")


def removals(within: str) -> tuple[Removal, ...]:
    """`within` is the field of an experiment that the id is of."""
    return (
        Removal(lambda key: Run.objects.filter(**{f"experiment__{within}": key})),
        Removal(lambda key: Experiment.objects.filter(**{within: key}), within=_with_twins),
    )


CONTRIBUTION = Contribution(parts=(EXPERIMENTS, RUNS), removals=removals("organization_id"))
CONTENTS = Contents(steps_of(removals("project_id")))


def experiment_steps() -> tuple[Step, ...]:
    """One experiment, its runs first. Trainings keep their own numbers and artifacts without their run."""
    return steps_of(removals("pk"))
