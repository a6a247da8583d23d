"""Quick tests in an organization's export, and how they go with it.

Inference jobs go ahead of the checkpoints that they tried; their pictures are blobs of the organization.
"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.core.storage.loose import note_loose
from apps.departures.contributions import Contribution, Removal, listed
from apps.departures.removing import steps_of
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.projects.contents import Contents


def _inferences(organization_id: UUID) -> QuerySet[InferenceJob]:
    return InferenceJob.objects.filter(job__organization_id=organization_id)


INFERENCES = listed(
    "inference-jobs",
    _inferences,
    {
        "id": ("pk", "Id of the quick test."),
        "project_id": ("job__project_id", "Id of its project."),
        "checkpoint_id": ("checkpoint_id", "Id of the checkpoint that was tried."),
        "trainer": ("trainer", "Trainer."),
        "task": ("task", "What the checkpoint does."),
        "config": ("config", "Settings, as the trainer names them."),
        "state": ("job__state", "State of its job, such as succeeded."),
        "result": ("result", "What was found; null: nothing, or too much for the row."),
        "created_by": ("job__created_by_id", "Id of the person who asked; null: gone."),
        "created_at": ("job__created_at", "When it was asked for."),
    },
)


def _loosened(rows: QuerySet[Any]) -> None:
    """The pictures are kept for the grace, and go then."""
    note_loose(rows.values_list("job__job__organization_id", "sha256"))


def removals(within: str) -> tuple[Removal, ...]:
    """`within` is the field of a job that the id is of."""
    return (
        Removal(lambda key: InferenceInput.objects.filter(**{f"job__job__{within}": key}), within=_loosened),
        Removal(lambda key: InferenceJob.objects.filter(**{f"job__{within}": key})),
    )


CONTRIBUTION = Contribution(parts=(INFERENCES,), removals=removals("organization_id"))
CONTENTS = Contents(steps_of(removals("project_id")))
