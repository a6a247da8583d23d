"""What trainings put into an organization's export, and how they go with it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal, listed
from apps.training.models import Checkpoint, TrainingJob


def _trainings(organization_id: UUID) -> QuerySet[TrainingJob]:
    return TrainingJob.objects.filter(job__organization_id=organization_id)


def _checkpoints(organization_id: UUID) -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(organization_id=organization_id)


TRAININGS = listed(
    "trainings",
    _trainings,
    {
        "id": ("pk", "Id of the training."),
        "project_id": ("job__project_id", "Id of its project."),
        "name": ("job__name", "Name."),
        "state": ("job__state", "State of its job, such as succeeded."),
        "trainer": ("trainer", "Trainer."),
        "task": ("task", "What it learns."),
        "model": ("model", "Model that it began with."),
        "config": ("config", "Settings, as the trainer names them."),
        "seed": ("seed", "Seed of what is random."),
        "dataset_id": ("dataset_id", "Id of its dataset; null: none."),
        "dataset_version_id": (
            "dataset_version_id",
            "Id of the snapshot that it was told to learn from; null: the dataset as it was when it started.",
        ),
        "snapshot_id": ("snapshot_id", "Id of the snapshot that it learnt from; null: it never started."),
        "created_by": ("job__created_by_id", "Id of the person who made it; null: gone."),
        "created_at": ("job__created_at", "When it was made."),
        "started_at": ("job__started_at", "When it started; null: never."),
        "finished_at": ("job__finished_at", "When it ended; null: it has not."),
    },
)
CHECKPOINTS = listed(
    "checkpoints",
    _checkpoints,
    {
        "id": ("pk", "Id of the checkpoint; its weights are downloaded from the training's page."),
        "training_id": ("job_id", "Id of its training; null: imported."),
        "kind": ("kind", "best, last or resume."),
        "name": ("name", "Name of the file."),
        "trainer": ("trainer", "Trainer."),
        "step": ("step", "Step; null: not told."),
        "epoch": ("epoch", "Epoch; null: not told."),
        "sha256": ("sha256", "SHA-256 of the file."),
        "size": ("size", "Bytes."),
        "metrics": ("metrics", "What was measured then."),
        "created_at": ("created_at", "When it was written."),
    },
)


def _unlinked(rows: QuerySet[Any]) -> None:
    """A training that began with one of these protects it; both go."""
    TrainingJob.objects.filter(start_from__in=rows).update(start_from=None)


CONTRIBUTION = Contribution(
    parts=(TRAININGS, CHECKPOINTS), removals=(Removal(_checkpoints, within=_unlinked), Removal(_trainings))
)
