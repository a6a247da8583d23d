"""The portal's pages of trainings."""

import re
from typing import Any

import pytest

from apps.core.testing import Cast
from apps.datasets.services import snapshot_for_training
from apps.jobs.models import JobArtifact
from apps.jobs.states import JobState
from apps.metrics.models import Series
from apps.resources.models import Node
from apps.training.models import TrainingJob
from apps.training.selectors import figure_of
from tests.factories.datasets import DatasetFactory, published, shapes
from tests.factories.projects import ProjectFactory
from tests.factories.resources import ResourceGroupFactory
from tests.factories.training import TrainingJobFactory


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
    text = page.content.decode()
    assert 'value="0"' in text
    # Beside the setting, not above the form, where nothing says which setting is meant.
    assert text.count("Must be at least 1.") == 1 and "Some settings are not valid." in text
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


def test_a_dataset_leads_to_a_training_with_it(cast: Cast) -> None:
    ProjectFactory(organization=cast.sample("project").organization, created_by=cast.owner.user)
    dataset = DatasetFactory(project=cast.sample("project"), revision_no=1, task="segment")
    page = cast.owner.portal.get(f"/datasets/{dataset.pk}/").content.decode()
    (address,) = re.findall(r'href="(/training/new/[^"]+)"', page)
    form = cast.owner.portal.get(address).context["form"]
    chosen = [str(form[name].value()) for name in ("dataset", "project")]
    assert chosen == [str(dataset.pk), str(dataset.project_id)]


@pytest.mark.parametrize("named", ["no-id", "00000000-0000-7000-8000-000000000000", ""])
def test_an_address_with_a_dataset_that_is_not_there_opens_the_plain_form(cast: Cast, named: str) -> None:
    form = cast.owner.portal.get(f"/training/new/?dataset={named}").context["form"]
    assert not form["dataset"].value()


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


# Drafts


@pytest.fixture
def draft(cast: Cast) -> TrainingJob:
    cast.owner.portal.post("/training/new/?trainer=reference", _posted(cast, draft="1", **{"config.steps": "77"}))
    return TrainingJob.objects.get()


def test_the_form_of_a_draft_is_filled_in_and_saves_what_is_changed(cast: Cast, draft: TrainingJob) -> None:
    path = f"/training/{draft.pk}/change/"
    page = cast.owner.portal.get(path).content.decode()
    assert _value(page, "name") == "From the form"
    assert _value(page, "config.steps") == "77"
    assert 'name="project"' not in page
    values = _posted(cast, name="Renamed", seed="5", **{"config.steps": "78"})
    answer = cast.owner.portal.post(path, values)
    assert (answer.status_code, answer["Location"]) == (302, draft.get_absolute_url())
    draft = TrainingJob.objects.get()
    assert (draft.job.name, draft.seed, draft.config["steps"], draft.job.state) == ("Renamed", 5, 78, "draft")


def test_a_draft_can_be_started_from_its_form(cast: Cast, draft: TrainingJob) -> None:
    path = f"/training/{draft.pk}/change/"
    cast.owner.portal.post(path, _posted(cast, start="1"))
    assert TrainingJob.objects.get().job.state == JobState.QUEUED
    # The form is of drafts alone.
    assert cast.owner.portal.get(path)["Location"] == draft.get_absolute_url()


def test_a_draft_with_wrong_settings_keeps_what_it_had(cast: Cast, draft: TrainingJob) -> None:
    page = cast.owner.portal.post(f"/training/{draft.pk}/change/", _posted(cast, **{"config.steps": "0"}))
    assert page.status_code == 422
    assert _value(page.content.decode(), "config.steps") == "0"
    assert TrainingJob.objects.get().config["steps"] == 77


def test_the_page_of_a_draft_offers_to_edit_and_delete_it_and_is_not_called_live(
    cast: Cast, draft: TrainingJob
) -> None:
    page = cast.owner.portal.get(draft.get_absolute_url()).content.decode()
    assert _shown(page, "change") and _shown(page, "delete")
    assert re.search(r"data-live-pill[^>]* hidden", page)
    cast.owner.rest.post(f"/training-jobs/{draft.pk}/start")
    page = cast.owner.portal.get(draft.get_absolute_url()).content.decode()
    assert not _shown(page, "change") and not _shown(page, "delete")
    assert not re.search(r"data-live-pill[^>]* hidden", page)
    words = 'data-done="The training is stopping: it writes its checkpoint." data-done-state="stopping"'
    assert words in page


# What the form begins with


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [
        (8, [], ("16", "yolov8-tiny", "2")),
        (2, [], ("16", "yolov8-tiny", "1")),
        (1, [], ("16", "yolov8-tiny", "1")),
        (8, [{"index": 0, "name": "GPU", "memory_mb": 81559}], ("100", "", "2")),
    ],
)
def test_the_form_fits_the_machine(cast: Cast, cpus: int, gpus: list[Any], expected: tuple[str, ...]) -> None:
    """Settings for CPUs where there is no GPU, and a CPU left for a quick test."""
    Node.objects.all().delete()
    group = ResourceGroupFactory(organization=None, is_default=True)
    Node.objects.create(name="machine", group=group, cpus=cpus, gpus=gpus)
    page = cast.owner.portal.get("/training/new/?trainer=ultralytics").content.decode()
    model = re.search(r'<select name="model".*?</select>', page, re.DOTALL)
    assert model is not None
    chosen = re.search(r'value="([^"]*)" selected', model[0])
    assert (_value(page, "config.epochs"), chosen[1] if chosen else "", _value(page, "cpus")) == expected


def test_the_trainer_that_only_tries_the_system_out_comes_last(cast: Cast) -> None:
    page = cast.owner.portal.get("/training/new/?project=1").content.decode()
    assert re.findall(r'href="\?project=1&amp;trainer=(\w+)"', page) == ["ultralytics", "reference"]


def test_a_projects_page_leads_to_forms_that_have_the_project_chosen(cast: Cast) -> None:
    pk = cast.sample("project").pk
    cast.owner.rest.post("/projects", {"name": "Another, so that none is the only one"})
    page = cast.owner.portal.get(f"/projects/{pk}/").content.decode()
    for path in ("/training/new/", "/datasets/new/"):
        assert f'href="{path}?project={pk}"' in page
        form = cast.owner.portal.get(f"{path}?project={pk}").content.decode()
        assert f'value="{pk}" selected' in form
    assert "?project=" not in cast.viewer.portal.get(f"/projects/{pk}/").content.decode()


# Names of classes


def test_series_of_classes_are_titled_by_their_own_names(cast: Cast) -> None:
    """A metric's name is ASCII: a trainer says `class <id>` for a name that is not."""
    files = {path: body.replace(b"circle", "원형".encode()) if path.endswith(".yaml") else body
             for path, body in shapes().items()}  # fmt: skip
    dataset = published(DatasetFactory(project=cast.sample("project")), files, person=cast.owner.user)
    snapshot = snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    number = next(row["id"] for row in snapshot.revision.classes if row["name"] == "원형")
    training = TrainingJobFactory(
        job__project=cast.sample("project"), trainer="ultralytics", dataset=dataset, snapshot=snapshot
    )
    for name in (f"val/ap50/class {number}", "val/ap50/square", "val/ap50/class 99", "val/map50"):
        Series.objects.create(job=training.job, name=name, scope="epoch")
    found = cast.owner.rest.get(f"/training-jobs/{training.pk}/metrics").json()["series"]
    titles = {row["name"]: (row["title"], row["group"]) for row in found}
    assert titles[f"val/ap50/class {number}"] == ("원형", "ap50")
    assert titles["val/ap50/square"] == ("square", "ap50")
    assert titles["val/ap50/class 99"] == ("class 99", "ap50")
    assert titles["val/map50"] == ("mAP50", "map")


def _value(page: str, name: str) -> str:
    field = re.search(rf'<input[^>]* name="{re.escape(name)}"[^>]*>', page)
    assert field is not None, name
    found = re.search(r' value="([^"]*)"', field[0])
    return found[1] if found else ""


def _shown(page: str, action: str) -> bool:
    button = re.search(rf'<(?:a|button)[^>]* data-action="{action}"[^>]*>', page)
    assert button is not None, action
    return " hidden" not in button[0]
