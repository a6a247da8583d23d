"""A job's own split comes before the dataset's, through every door."""

from typing import Any

import pytest
from django.urls import reverse

from apps.core.testing import Cast
from apps.datasets.models import Dataset, SplitPlan
from apps.datasets.services import split_set
from apps.training.models import TrainingJob
from apps.training.services import training_clone, training_start
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db
OWN = {"method": "stratified", "seed": 5, "ratios": {"train": 0.5, "val": 0.5}}


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Shapes"), shapes(8, 4))


def drafted(cast: Cast, dataset: Dataset, **body: Any) -> Any:
    facts = {"name": "Own split", "project_id": str(dataset.project_id), "dataset_id": str(dataset.pk)}
    facts |= {"trainer": "reference", "resource_group_id": str(cast.sample("resource-group").pk)}
    return cast.editor.rest.post("/training-jobs", {**facts, **body})


def test_the_job_s_own_split_is_what_it_learns_from(dataset: Dataset, cast: Cast) -> None:
    split_set(actor=SYSTEM, dataset=dataset, method="auto", seed=1, ratios={"train": 0.9, "val": 0.1})
    made = drafted(cast, dataset, split=OWN)
    assert made.status_code == 201, made.content
    assert made.json()["split"] == {**OWN, "ratios": {"train": 0.5, "val": 0.5, "test": 0.0}, "pattern": ""}
    training = TrainingJob.objects.get(pk=made.json()["id"])
    copy = training_clone(actor=cast.editor.actor, training=training)
    started = training_start(actor=cast.editor.actor, training=training)
    assert started.snapshot is not None
    plan = started.snapshot.split_plan
    assert (plan.level, plan.method, plan.seed) == ("job", "stratified", 5)
    assert started.snapshot.counts["train"] + started.snapshot.counts["val"] == 12
    assert abs(started.snapshot.counts["train"] - 6) <= 1
    dataset.refresh_from_db()
    assert dataset.split_plan is not None and dataset.split_plan.method == "auto", "the dataset keeps its own"
    assert copy.split == training.split
    page = cast.editor.portal.get(reverse("training:config", args=[training.pk])).content.decode()
    assert "Stratified by class (Job)" in page


def test_without_one_the_dataset_s_counts(dataset: Dataset, cast: Cast) -> None:
    made = drafted(cast, dataset)
    assert made.json()["split"] is None
    started = training_start(actor=cast.editor.actor, training=TrainingJob.objects.get(pk=made.json()["id"]))
    assert started.snapshot is not None and started.snapshot.split_plan.level == "default"
    assert not SplitPlan.objects.filter(level="job").exists()


def test_an_own_split_is_changed_and_taken_away(dataset: Dataset, cast: Cast) -> None:
    address = f"/training-jobs/{drafted(cast, dataset, split=OWN).json()['id']}"
    changed = cast.editor.rest.patch(address, {"split": {"method": "grouped", "pattern": "train-[0-9]+"}})
    assert changed.json()["split"]["pattern"] == "train-[0-9]+"
    assert cast.editor.rest.patch(address, {"name": "Other"}).json()["split"]["method"] == "grouped"
    assert cast.editor.rest.patch(address, {"split": None}).json()["split"] is None


@pytest.mark.parametrize(
    "split",
    [
        {"method": "manual"},
        {"method": "fly"},
        {"method": "auto", "ratios": {"train": 2}},
        {"method": "grouped", "pattern": "(a+)+"},
        {"method": "auto", "seed": -1},
    ],
)
def test_a_split_that_is_none_is_refused_at_once(dataset: Dataset, cast: Cast, split: dict[str, Any]) -> None:
    assert drafted(cast, dataset, split=split).status_code == 400
    address = f"/training-jobs/{drafted(cast, dataset).json()['id']}"
    assert cast.editor.rest.patch(address, {"split": split}).status_code == 400
    assert cast.editor.rest.patch(address, {"split": {"seed": 1}}).status_code == 400


def test_the_form_of_a_training_has_a_split_of_its_own(dataset: Dataset, cast: Cast) -> None:
    address = reverse("training:create") + "?trainer=ultralytics"
    page = cast.editor.portal.get(address)
    assert "A split of its own" in page.content.decode()
    form = page.context["form"]
    facts = {name: form[name].initial for name in ("cpus", "memory_mb", "gpus", "priority", "seed")}
    facts |= {
        "name": "By form",
        "project": dataset.project_id,
        "dataset": dataset.pk,
        "task": "detect",
        "model": "yolov8n",
    }
    facts |= {"resource_group": cast.sample("resource-group").pk, "draft": "1"}
    own = {"split_method": "auto", "split_train": "0.6", "split_val": "0.4", "split_test": "0", "split_seed": "8"}
    posted = cast.editor.portal.post(address, {**facts, **own})
    assert posted.status_code == 302, posted.content.decode()[-3000:]
    training = TrainingJob.objects.get(job__name="By form")
    assert training.split == {
        "method": "auto",
        "seed": 8,
        "ratios": {"train": 0.6, "val": 0.4, "test": 0.0},
        "pattern": "",
    }
    change = cast.editor.portal.get(reverse("training:change", args=[training.pk]))
    assert change.context["form"]["split_method"].value() == "auto"
    assert change.context["form"]["split_train"].value() == 0.6
    wrong = cast.editor.portal.post(address, {**facts, **own, "split_train": "0.9"})
    assert wrong.status_code == 422 and "add up to 1" in wrong.content.decode()
