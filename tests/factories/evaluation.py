import hashlib
import io

import factory
from factory.django import DjangoModelFactory

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast, sample
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs.models import JobArtifact
from apps.jobs.states import JobState
from apps.training.models import Checkpoint, TrainingJob
from tests.datasets.factories.images import encoded
from tests.factories.jobs import JobFactory
from tests.factories.training import CheckpointFactory, TrainingJobFactory

PNG = encoded("PNG", 8, 8)
PNG_SHA256 = hashlib.sha256(PNG).hexdigest()


class TriedTrainingFactory(TrainingJobFactory):
    """A training of the reference trainer that has ended."""

    job = factory.SubFactory(JobFactory, state=JobState.SUCCEEDED)
    task = "tabular"
    model = "softmax"


class TriedCheckpointFactory(CheckpointFactory):
    """The best weights of an ended training."""

    class Meta:
        skip_postgeneration_save = True

    job = factory.LazyFunction(lambda: TriedTrainingFactory().job)
    task = "tabular"
    name = "best.json"


class InferenceJobFactory(DjangoModelFactory):
    """A queued inference of one picture, whose bytes are stored."""

    class Meta:
        model = InferenceJob
        skip_postgeneration_save = True

    checkpoint = factory.SubFactory(TriedCheckpointFactory)
    job = factory.LazyAttribute(
        lambda made: JobFactory(
            kind="inference",
            state=JobState.QUEUED,
            project=made.checkpoint.job.project,
            resource_group=made.checkpoint.job.resource_group,
        )
    )
    trainer = factory.SelfAttribute("checkpoint.trainer")
    task = factory.SelfAttribute("checkpoint.task")

    @factory.post_generation
    def picture(inference: InferenceJob, create: bool, name: str | None, **kwargs: object) -> None:
        storage().put(blob_key(inference.organization_id, PNG_SHA256), io.BytesIO(PNG))
        InferenceInput.objects.create(
            job=inference,
            no=0,
            name=name or "picture.png",
            sha256=PNG_SHA256,
            size=len(PNG),
            media_type="image/png",
            width=8,
            height=8,
        )


@sample("tried-checkpoint")
def tried_checkpoint(cast: Cast) -> Checkpoint:
    job = JobFactory(
        project=cast.sample("project"),
        resource_group=cast.sample("resource-group"),
        name=f"Tried {cast.canary}",
        state=JobState.SUCCEEDED,
    )
    return TriedCheckpointFactory(job=TriedTrainingFactory(job=job).job)


@sample("tried-checkpoint-training")
def tried_training(cast: Cast) -> TrainingJob:
    return TrainingJob.objects.get(pk=cast.sample("tried-checkpoint").job_id)


@sample("inference-job", "inference-jobs", "ws/inference-jobs", "evaluation.InferenceJob")
def inference_job(cast: Cast) -> InferenceJob:
    inference = InferenceJobFactory(checkpoint=cast.sample("tried-checkpoint"), picture=f"{cast.canary}.png")
    inference.job.name = f"Inference {cast.canary}"
    inference.job.save(update_fields=["name"])
    return inference


@sample("predicted-inference-job")
def predicted(cast: Cast) -> InferenceJob:
    """One whose predictions lie in a file."""
    inference = InferenceJobFactory(checkpoint=cast.sample("tried-checkpoint"), picture=f"{cast.canary}.png")
    content = b'{"predictions": []}'
    sha256 = hashlib.sha256(content).hexdigest()
    storage().put(blob_key(inference.organization_id, sha256), io.BytesIO(content))
    JobArtifact.objects.create(
        job=inference.job,
        attempt_no=1,
        kind="predictions",
        name="predictions.json",
        media_type="application/json",
        sha256=sha256,
        size=len(content),
    )
    return inference


@sample("inference-jobs/inputs")
def input_number(cast: Cast) -> int:
    """Number of the one picture of the inference job."""
    return 0
