"""Quick tests in an organization's export, and how they go with it.

Inference jobs go ahead of the checkpoints that they tried; their pictures are blobs of the organization.
"""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal, listed
from apps.evaluation.models import InferenceInput, InferenceJob


def _inputs(organization_id: UUID) -> QuerySet[InferenceInput]:
    return InferenceInput.objects.filter(job__job__organization_id=organization_id)


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

CONTRIBUTION = Contribution(parts=(INFERENCES,), removals=(Removal(_inputs), Removal(_inferences)))
