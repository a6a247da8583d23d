"""Training on from the weights of an earlier training, in the portal, and what a training's page says of its data (R5)."""

import pytest
from django.utils.translation import override

from apps.core.testing import Cast
from apps.datasets.services import snapshot_for_training
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob
from tests.factories.datasets import published, shapes
from tests.factories.organizations import OrganizationFactory
from tests.factories.training import CheckpointFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights(cast: Cast) -> Checkpoint:
    return CheckpointFactory(job=cast.sample("training-job").job, trainer="reference", name="checkpoints/earlier.json")


def posted(cast: Cast, **more: str) -> dict[str, str]:
    group = cast.sample("training-job").job.resource_group_id
    given = {
        "name": "Goes on",
        "project": str(cast.sample("project").pk),
        "task": "tabular",
        "model": "softmax",
        "resource_group": str(group),
    }
    return {**given, "cpus": "1", "memory_mb": "256", "gpus": "0", "priority": "0", "seed": "0", "draft": "1", **more}


def test_the_weights_that_an_address_names_are_chosen_and_kept(cast: Cast, weights: Checkpoint) -> None:
    address = f"/training/new/?trainer=reference&start_from={weights.pk}"
    page = cast.owner.portal.get(address).content.decode()
    assert f'value="{weights.pk}" selected' in page
    answer = cast.owner.portal.post("/training/new/?trainer=reference", posted(cast, start_from=str(weights.pk)))
    assert answer.status_code == 302, answer.content.decode()
    made = TrainingJob.objects.get(job__name="Goes on")
    assert made.start_from == weights
    with override("en"):
        assert "checkpoints/earlier.json" in cast.owner.portal.get(f"/training/{made.pk}/config/").content.decode()
    # The draft's form has them chosen, and lets go of them.
    form = cast.owner.portal.get(f"/training/{made.pk}/change/").content.decode()
    assert f'value="{weights.pk}" selected' in form
    cast.owner.portal.post(f"/training/{made.pk}/change/", posted(cast, start_from=""))
    made.refresh_from_db()
    assert made.start_from is None


def test_weights_of_another_trainer_of_others_and_for_resuming_are_not_offered(
    cast: Cast, weights: Checkpoint
) -> None:
    job = cast.sample("training-job").job
    others = [
        CheckpointFactory(job=job, trainer="ultralytics", name="checkpoints/other.pt"),
        CheckpointFactory(job=job, trainer="reference", kind=CheckpointKind.RESUME, name="checkpoints/resume.json"),
        CheckpointFactory(
            job=None, organization=OrganizationFactory(), trainer="reference", name="checkpoints/far.json"
        ),
    ]
    page = cast.owner.portal.get("/training/new/?trainer=reference").content.decode()
    assert str(weights.pk) in page
    for other in others:
        assert str(other.pk) not in page
        answer = cast.owner.portal.post("/training/new/?trainer=reference", posted(cast, start_from=str(other.pk)))
        assert answer.status_code == 422
    assert not TrainingJob.objects.filter(job__name="Goes on").exists()


def test_each_checkpoint_leads_to_a_training_from_it(cast: Cast, weights: Checkpoint) -> None:
    page = cast.owner.portal.get(f"/training/{weights.job_id}/checkpoints/").content.decode()
    assert f"start_from={weights.pk}" in page
    CheckpointFactory(job=weights.job, trainer="reference", kind=CheckpointKind.RESUME, name="checkpoints/resume.json")
    page = cast.owner.portal.get(f"/training/{weights.job_id}/checkpoints/").content.decode()
    assert page.count("start_from=") == Checkpoint.objects.filter(job=weights.job).exclude(kind="resume").count()


@override("en")
def test_a_training_says_how_far_its_dataset_has_moved_on(cast: Cast) -> None:
    training, dataset = cast.sample("training-job"), cast.sample("dataset")
    snapshot = snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    TrainingJob.objects.filter(pk=training.pk).update(dataset=dataset, snapshot=snapshot)
    address = f"/training/{training.pk}/config/"
    page = cast.owner.portal.get(address).content.decode()
    assert dataset.get_absolute_url() in page and "newer revision" not in page
    picture = shapes()["images/train/train-0000.jpg"]
    published(dataset, {"images/train/more.jpg": picture}, person=cast.owner.user)
    assert "1 newer revision" in cast.owner.portal.get(address).content.decode()
