import io
from hashlib import sha256
from typing import Any

import factory
from factory.django import DjangoModelFactory

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast, sample
from apps.jobs.models import Job, JobArtifact
from apps.jobs.states import JobState
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob
from apps.training.schedules import training_schedule
from tests.factories.jobs import JobFactory


class TrainingJobFactory(DjangoModelFactory):
    """A draft for the reference trainer."""

    class Meta:
        model = TrainingJob

    job = factory.SubFactory(JobFactory)
    trainer = "reference"
    task = "detect"
    model = "tiny"


class CheckpointFactory(DjangoModelFactory):
    """The best weights of a training, with their bytes in the store."""

    class Meta:
        model = Checkpoint

    class Params:
        content = b"weights"

    job = factory.SubFactory(JobFactory)
    organization = factory.SelfAttribute("job.organization")
    attempt_no = 1
    kind = CheckpointKind.BEST
    trainer = "reference"
    task = "detect"
    name = "checkpoints/best.json"
    sha256 = factory.LazyAttribute(lambda row: sha256(row.content).hexdigest())
    size = factory.LazyAttribute(lambda row: len(row.content))

    @factory.post_generation
    def stored(row: Any, create: bool, extracted: Any, **kwargs: Any) -> None:
        store_blob(row.organization_id, b"weights")


def store_blob(organization_id: Any, content: bytes) -> None:
    storage().put(blob_key(organization_id, sha256(content).hexdigest()), io.BytesIO(content))


@sample("training-job", "training-jobs", "training", "ws/training-jobs", "training.TrainingJob")
def training_job(cast: Cast) -> TrainingJob:
    return TrainingJobFactory(job=cast.sample("job"))


@sample("queued-training")
def queued_training(cast: Cast) -> TrainingJob:
    """A training that can be stopped."""
    return TrainingJobFactory(job=_own_job(cast, "Queued", JobState.QUEUED))


@sample("stopped-training")
def stopped_training(cast: Cast) -> TrainingJob:
    """A training that can be resumed."""
    return TrainingJobFactory(job=_own_job(cast, "Stopped", JobState.STOPPED))


@sample("pinned-training")
def pinned_training(cast: Cast) -> TrainingJob:
    """A draft that names a version of its dataset."""
    version = cast.sample("dataset-snapshot")
    job = _own_job(cast, "Pinned", JobState.DRAFT)
    return TrainingJobFactory(job=job, dataset=version.dataset, dataset_version=version)


@sample("scheduled-training")
def scheduled_training(cast: Cast) -> TrainingJob:
    """A draft of which beat starts copies."""
    training = TrainingJobFactory(job=_own_job(cast, "Scheduled", JobState.DRAFT))
    training_schedule(actor=cast.owner.actor, training=training, cron="0 3 * * *", time_zone="Asia/Seoul")
    return training


def _own_job(cast: Cast, word: str, state: JobState) -> Job:
    project, group = cast.sample("project"), cast.sample("resource-group")
    return JobFactory(project=project, resource_group=group, name=f"{word} {cast.canary}", state=state)


@sample("checkpoint", "training-jobs/checkpoints", "training.Checkpoint")
def checkpoint(cast: Cast) -> Checkpoint:
    return CheckpointFactory(job=cast.sample("training-job").job, name=f"checkpoints/{cast.canary}.json")


@sample("artifact", "training-jobs/artifacts")
def artifact(cast: Cast) -> JobArtifact:
    """A table that the training has made."""
    job, content = cast.sample("training-job").job, b"a,b\n1,2\n"
    store_blob(job.organization_id, content)
    return JobArtifact.objects.create(
        job=job,
        attempt_no=1,
        name=f"{cast.canary}.csv",
        kind="table",
        media_type="text/csv",
        sha256=sha256(content).hexdigest(),
        size=len(content),
    )
