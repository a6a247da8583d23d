"""The portal's pages of trainings."""

import pytest

from apps.core.testing import Cast
from apps.jobs.models import JobArtifact
from apps.jobs.states import JobState
from apps.training.models import TrainingJob
from apps.training.selectors import figure_of
from tests.factories.datasets import DatasetFactory


def test_the_form_draws_every_setting_of_the_trainer(cast: Cast) -> None:
    page = cast.owner.portal.get("/training/new/?trainer=ultralytics").content.decode()
    assert 'name="config.epochs"' in page
    assert 'name="config.mosaic"' in page
    assert 'data-preset="quick"' in page
    assert 'data-model="yolov8-tiny"' in page


def test_the_form_in_korean_uses_the_trainers_korean_titles(cast: Cast) -> None:
    cast.owner.portal.cookies["django_language"] = "ko"
    page = cast.owner.portal.get("/training/new/?trainer=reference").content.decode()
    assert "스텝 수" in page


def test_a_form_with_wrong_settings_keeps_what_was_typed_and_says_what_is_wrong(cast: Cast) -> None:
    page = cast.owner.portal.post("/training/new/?trainer=reference", _posted(cast, **{"config.steps": "0"}))
    assert page.status_code == 422
    assert 'value="0"' in page.content.decode()
    assert not TrainingJob.objects.exists()


@pytest.mark.parametrize(("button", "state"), [("draft", JobState.DRAFT), ("start", JobState.QUEUED)])
def test_the_form_saves_a_draft_or_starts(cast: Cast, button: str, state: JobState) -> None:
    answer = cast.owner.portal.post("/training/new/?trainer=reference", _posted(cast, **{button: "1"}))
    training = TrainingJob.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == training.get_absolute_url()
    assert training.job.state == state
    assert training.config["steps"] == 5


def test_a_training_that_cannot_start_leaves_no_draft_behind(cast: Cast) -> None:
    """The form is shown again and will be sent again: each try would leave another draft."""
    dataset = DatasetFactory(project=cast.sample("project"), revision_no=1)
    values = _posted(cast, dataset=str(dataset.pk), start="1", task="detect", model="yolov8n")
    page = cast.owner.portal.post("/training/new/?trainer=ultralytics", values)
    assert page.status_code == 422
    assert "The dataset is empty." in page.content.decode()
    assert not TrainingJob.objects.exists()


def test_only_datasets_with_a_revision_can_be_chosen(cast: Cast) -> None:
    empty = DatasetFactory(project=cast.sample("project"), name="Nothing yet")
    filled = DatasetFactory(project=cast.sample("project"), name="Filled", revision_no=1)
    page = cast.owner.portal.get("/training/new/?trainer=ultralytics").content.decode()
    assert str(filled.pk) in page
    assert str(empty.pk) not in page


def test_the_list_says_what_to_do_first_when_it_is_empty(cast: Cast) -> None:
    page = cast.owner.portal.get("/training/").content.decode()
    assert "No training yet" in page
    assert "/training/new/" in page


def test_titles_of_results_come_in_the_readers_language(cast: Cast) -> None:
    training = cast.sample("training-job")
    titles = {"en": "Results by class", "ko": "클래스별 결과"}
    data = {"columns": ["name", "ap50"], "rows": [{"name": "circle", "ap50": 0.99}]}
    JobArtifact.objects.create(
        job=training.job, attempt_no=1, name="classes.json", titles=titles, kind="table", media_type="application/json",
        sha256="0" * 64, size=2, data=data,
    )  # fmt: skip
    path = f"/training/{training.pk}/results/"
    assert "Results by class" in cast.owner.portal.get(path).content.decode()
    cast.owner.portal.cookies["django_language"] = "ko"
    page = cast.owner.portal.get(path).content.decode()
    assert "클래스별 결과" in page
    assert "circle" in page


def test_a_matrix_is_drawn_with_what_is_true_as_rows() -> None:
    data = {
        "chart": "matrix",
        "rows": {"label": "Predicted", "names": ["a", "b"]},
        "columns": {"label": "Actual", "names": ["a", "b"]},
        "values": [[5, 1], [2, 7]],
    }
    figure = figure_of({"data": data, "title": "Matrix"})
    assert figure is not None
    assert figure["values"] == "[[5, 2], [1, 7]]"


@pytest.mark.parametrize(
    "data", [None, [], {"chart": "line"}, {"chart": "matrix", "columns": 3}, {"rows": [1, 2]}, {}]
)
def test_data_that_does_not_fit_is_left_to_the_download(data: object) -> None:
    assert figure_of({"data": data, "title": ""}) is None


def _posted(cast: Cast, **fields: str) -> dict[str, str]:
    return {
        "name": "From the form",
        "project": str(cast.sample("project").pk),
        "task": "tabular",
        "model": "softmax",
        "resource_group": str(cast.sample("resource-group").pk),
        "cpus": "1",
        "memory_mb": "256",
        "gpus": "0",
        "priority": "0",
        "seed": "0",
        "config.steps": "5",
        **fields,
    }


def test_a_dataset_names_the_trainings_that_use_it(cast: Cast) -> None:
    training = cast.sample("training-job")
    TrainingJob.objects.filter(pk=training.pk).update(dataset=cast.sample("dataset"))
    page = cast.owner.portal.get(f"/datasets/{cast.sample('dataset').pk}/usage/").content.decode()
    assert training.get_absolute_url() in page
