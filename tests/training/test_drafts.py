"""Drafts of trainings: what is completed, what is refused, what starting fixes."""

from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, assert_constant_queries
from apps.experiments.models import Run
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.training import services
from apps.training.models import TrainingJob
from tests.factories.training import TrainingJobFactory

#: bad-T01 … bad-T10 of the settings that a person may send.
BAD_CONFIGS = {
    "bad-T01 unknown key": ({"no_such_setting": 1}, "config.no_such_setting"),
    "bad-T02 epochs 0": ({"epochs": 0}, "config.epochs"),
    "bad-T02 epochs -1": ({"epochs": -1}, "config.epochs"),
    "bad-T02 epochs 10^9": ({"epochs": 10**9}, "config.epochs"),
    "bad-T03 batch -2": ({"batch": -2}, "config.batch"),
    "bad-T03 batch 10^6": ({"batch": 10**6}, "config.batch"),
    "bad-T04 imgsz 0": ({"imgsz": 0}, "config.imgsz"),
    "bad-T04 imgsz 31": ({"imgsz": 31}, "config.imgsz"),
    "bad-T04 imgsz 10^6": ({"imgsz": 10**6}, "config.imgsz"),
    "bad-T05 lr text": ({"lr0": "NaN"}, "config.lr0"),
    "bad-T06 device": ({"device": "cuda:99"}, "config.device"),
    "bad-T06 device with a command": ({"device": "0;id"}, "config.device"),
    "bad-T07 project": ({"project": "../../"}, "config.project"),
}


def body(cast: Cast, **fields: Any) -> dict[str, Any]:
    return {
        "name": "First training",
        "project_id": str(cast.sample("project").pk),
        "trainer": "reference",
        "resource_group_id": str(cast.sample("resource-group").pk),
        **fields,
    }


def test_a_draft_is_completed_with_the_trainers_defaults(cast: Cast) -> None:
    found = cast.owner.rest.post("/training-jobs", body(cast, config={"steps": 7})).json()
    assert found["job"]["state"] == "draft"
    assert found["config"]["steps"] == 7
    assert found["config"]["learning_rate"] == 0.1
    assert (found["task"], found["model"], found["cpus"]) == ("tabular", "softmax", 1)


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_settings_out_of_their_limits_are_refused_by_name_and_nothing_is_written(cast: Cast, name: str) -> None:
    config, field = BAD_CONFIGS[name]
    before = Job.objects.count()
    answer = cast.owner.rest.post("/training-jobs", body(cast, trainer="ultralytics", config=config))
    assert answer.status_code == 400
    assert answer.json()["code"] == "config_invalid"
    assert answer.json()["hint"]
    assert list(answer.json()["errors"]) == [field]
    assert Job.objects.count() == before


@pytest.mark.parametrize("name", ["line\nbreak", "$(id)\r\nx", "x" * 121, ""])
def test_names_that_cannot_be_kept_are_refused(cast: Cast, name: str) -> None:
    answer = cast.owner.rest.post("/training-jobs", body(cast, name=name))
    assert answer.status_code == 400
    assert "name" in answer.json()["errors"]
    assert not Job.objects.exists()


def test_a_name_with_a_nul_is_no_json_that_the_portal_takes(cast: Cast) -> None:
    assert cast.owner.rest.post("/training-jobs", body(cast, name="nul\x00")).status_code == 400


@pytest.mark.parametrize(
    ("field", "value"), [("trainer", "no-such-trainer"), ("task", "segment"), ("model", "no-such-model")]
)
def test_unknown_trainer_task_or_model_is_a_clear_refusal(cast: Cast, field: str, value: str) -> None:
    answer = cast.owner.rest.post("/training-jobs", body(cast, **{field: value}))
    assert answer.status_code in {400, 404}
    assert answer.json()["detail"]


def test_a_detector_does_not_start_without_a_dataset(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast, trainer="ultralytics")).json()
    answer = cast.owner.rest.post(f"/training-jobs/{made['id']}/start")
    assert answer.status_code == 400
    assert answer.json()["code"] == "dataset_missing"
    assert Job.objects.get(pk=made["id"]).state == JobState.DRAFT


def test_a_dataset_of_another_organization_looks_absent(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    stranger_project = cast.stranger.rest.post("/projects", {"name": "Elsewhere"}).json()["id"]
    answer = cast.stranger.rest.post(
        "/training-jobs",
        {"name": "Theft", "project_id": stranger_project, "trainer": "reference", "dataset_id": str(dataset.pk)},
    )
    assert answer.status_code == 400
    assert "dataset_id" in answer.json()["errors"]


def test_starting_opens_a_run_and_queues_with_one_event_at_the_top(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    AuditEvent.objects.filter(action="training.started").count()
    answer = cast.owner.rest.post(f"/training-jobs/{made['id']}/start").json()
    assert answer["job"]["state"] == "queued"
    assert Run.objects.filter(pk=answer["run_id"]).exists()
    started = AuditEvent.objects.get(action="training.started", entity_id=made["id"])
    assert started.parent_id is None
    inner = AuditEvent.objects.filter(parent_id=started.pk).values_list("action", flat=True)
    assert "job.submitted" in inner


def test_only_a_draft_can_be_changed(cast: Cast) -> None:
    training = TrainingJobFactory(job__project=cast.sample("project"), job__state=JobState.QUEUED)
    answer = cast.owner.rest.patch(f"/training-jobs/{training.pk}", {"name": "Too late"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_draft")


def test_a_change_on_an_old_copy_is_refused(cast: Cast) -> None:
    training = cast.sample("training-job")
    first = cast.owner.rest.get(f"/training-jobs/{training.pk}")
    cast.owner.rest.patch(f"/training-jobs/{training.pk}", {"name": "Changed meanwhile"})
    answer = cast.owner.rest.patch(
        f"/training-jobs/{training.pk}", {"name": "Mine"}, headers={"If-Match": first["ETag"]}
    )
    assert answer.status_code == 412


def test_retry_is_a_new_job_that_names_the_old_one(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    Job.objects.filter(pk=made["id"]).update(state=JobState.FAILED)
    answer = cast.owner.rest.post(f"/training-jobs/{made['id']}/retry")
    assert answer.status_code == 201
    assert answer.json()["retry_of_id"] == made["id"]
    assert answer.json()["job"]["state"] == "queued"


def test_a_clone_is_a_draft_with_the_same_settings(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast, config={"steps": 9})).json()
    clone = cast.owner.rest.post(f"/training-jobs/{made['id']}/clone").json()
    assert clone["id"] != made["id"]
    assert clone["job"]["state"] == "draft"
    assert clone["config"] == made["config"]


def test_a_scheduled_training_starts_a_copy_as_its_creator(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    services.run_scheduled(made["id"])
    copy = TrainingJob.objects.exclude(pk=made["id"]).get(job__project=cast.sample("project"))
    assert copy.job.state == JobState.QUEUED
    assert copy.job.created_by == cast.owner.user


def test_a_scheduled_training_does_not_start_for_somebody_who_may_not_any_more(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    cast.owner.user.memberships.update(state="suspended")
    with pytest.raises(Exception, match="nothing here"):
        services.run_scheduled(made["id"])
    assert TrainingJob.objects.filter(job__project=cast.sample("project")).count() == 1


def test_the_list_asks_the_same_number_of_questions_for_one_row_and_for_twenty(cast: Cast) -> None:
    def add_rows(count: int) -> None:
        for _number in range(count):
            TrainingJobFactory(job__project=cast.sample("project"))

    assert_constant_queries(lambda: cast.owner.rest.get("/training-jobs"), add_rows=add_rows)
    assert len(cast.owner.rest.get("/training-jobs").json()["results"]) == 20


def test_the_page_of_the_list_asks_the_same_number_of_questions(cast: Cast) -> None:
    def add_rows(count: int) -> None:
        for _number in range(count):
            TrainingJobFactory(job__project=cast.sample("project"))

    assert_constant_queries(lambda: cast.owner.portal.get("/training/"), add_rows=add_rows)
