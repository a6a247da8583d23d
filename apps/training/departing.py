"""What trainings put into an organization's export, and how they go with it."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.errors import Conflict
from apps.core.storage.loose import note_loose
from apps.departures.contributions import Contribution, Removal, listed
from apps.departures.removing import steps_of
from apps.projects.contents import Contents
from apps.projects.models import Project
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
    """A training that began with one of these protects it; both go. The bytes are kept for the grace."""
    TrainingJob.objects.filter(start_from__in=rows).update(start_from=None)
    note_loose(rows.values_list("organization_id", "sha256"))


def _needed(project: Project) -> Conflict | None:
    """Trainings elsewhere that learnt from a dataset of the project, or began with one of its checkpoints: what they saw
    must stay."""
    elsewhere = TrainingJob.objects.exclude(job__project=project)
    count = elsewhere.filter(Q(dataset__project=project) | Q(start_from__job__project=project)).count()
    if not count:
        return None
    message = ngettext(
        "%(count)d training of another project uses a dataset or a checkpoint of this one.",
        "%(count)d trainings of other projects use a dataset or a checkpoint of this one.",
        count,
    )
    hint = _("What a training saw stays as long as the training does; it goes with its own project.")
    return Conflict(message % {"count": count}, code="in_use", hint=hint, params={"trainings": count})


CONTRIBUTION = Contribution(
    parts=(TRAININGS, CHECKPOINTS), removals=(Removal(_checkpoints, within=_unlinked), Removal(_trainings))
)
CONTENTS = Contents(
    steps_of(
        (
            Removal(lambda pk: Checkpoint.objects.filter(job__project_id=pk), within=_unlinked),
            Removal(lambda pk: TrainingJob.objects.filter(job__project_id=pk)),
        )
    ),
    _needed,
)
