"""Drafts of trainings: what is completed, what is refused, what starting fixes."""

from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import NotFound
from apps.core.identity import Actor
from apps.core.testing import Cast, assert_constant_queries
from apps.experiments.models import Run
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.organizations.models import Membership, Organization
from apps.resources.selectors import groups_for_choice, groups_with_nodes
from apps.training import services
from apps.training.models import TrainingJob
from tests.factories.resources import ResourceGroupFactory
from tests.factories.training import CheckpointFactory, TrainingJobFactory
from tests.security.report import BAD_INPUT

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


@pytest.mark.security(BAD_INPUT, "settings of trainings")
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


def test_a_change_of_the_settings_raises_the_version_and_tells_both_values(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast, config={"steps": 7})).json()
    changed = cast.owner.rest.patch(f"/training-jobs/{made['id']}", {"seed": 3})
    assert changed.json()["version"] == made["version"] + 1
    event = AuditEvent.objects.get(action="training.changed", entity_id=made["id"])
    (shown,) = readable([event])
    assert (shown.before, shown.after) == ({"seed": "0"}, {"seed": "3"})
    stale = cast.owner.rest.patch(f"/training-jobs/{made['id']}", {"seed": 4}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


@pytest.fixture
def both(cast: Cast) -> Actor:
    """The owner, who belongs to the stranger's organization too and sees what it has."""
    there = cast.stranger.organization_id
    Membership.objects.create(organization_id=there, user=cast.owner.user, role="admin", state="active")
    return cast.owner.actor


@pytest.mark.parametrize("field", ["resource_group", "start_from"])
def test_what_belongs_to_another_of_ones_organizations_is_out_of_reach(cast: Cast, both: Actor, field: str) -> None:
    there = Organization.objects.get(pk=cast.stranger.organization_id)
    group, weights = ResourceGroupFactory(organization=there), CheckpointFactory(job__project__organization=there)
    foreign = {"resource_group": group, "start_from": weights}[field]
    assert type(foreign).objects.visible(both).filter(pk=foreign.pk).exists(), "it may be seen"
    values = {"project": cast.sample("project"), "name": "Mixed", "trainer": "reference"}
    values["resource_group"] = cast.sample("resource-group")
    draft = services.training_create(actor=both, **values)
    with pytest.raises(NotFound):
        services.training_create(actor=both, **(values | {field: foreign}))
    with pytest.raises(NotFound):
        services.training_change(actor=both, training=draft, **{field: foreign})


def test_the_form_offers_the_chosen_organizations_machines_only(cast: Cast, both: Actor) -> None:
    there = ResourceGroupFactory(organization_id=cast.stranger.organization_id, name="Far away")
    assert there not in groups_for_choice(both)
    assert cast.sample("resource-group") in groups_for_choice(both)
    assert there not in groups_with_nodes(both)
    assert there in groups_with_nodes(cast.platform.actor)


def test_weights_of_another_trainer_are_refused_by_name(cast: Cast) -> None:
    weights = CheckpointFactory(job=cast.sample("training-job").job, trainer="ultralytics")
    answer = cast.owner.rest.post("/training-jobs", body(cast, start_from_id=str(weights.pk)))
    assert (answer.status_code, answer.json()["code"]) == (400, "weights_unfit")
    weights = CheckpointFactory(job=cast.sample("training-job").job)
    answer = cast.owner.rest.post("/training-jobs", body(cast, start_from_id=str(weights.pk)))
    assert (answer.status_code, answer.json()["start_from_id"]) == (201, str(weights.pk))


def test_starting_opens_a_run_and_queues_with_one_event_at_the_top(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
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


def test_a_draft_is_deleted_with_an_entry_in_the_audit(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    assert made["job"]["capabilities"]["delete"]
    assert cast.owner.rest.delete(f"/training-jobs/{made['id']}").status_code == 204
    assert not Job.objects.filter(pk=made["id"]).exists()
    event = AuditEvent.objects.get(action="training.deleted", entity_id=made["id"])
    (shown,) = readable([event])
    assert (event.actor_id, shown.entity_name) == (cast.owner.user.pk, "First training")


def test_what_was_started_is_not_deleted(cast: Cast) -> None:
    training = TrainingJobFactory(job__project=cast.sample("project"), job__state=JobState.QUEUED)
    answer = cast.owner.rest.delete(f"/training-jobs/{training.pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_draft")
    assert not cast.owner.rest.get(f"/training-jobs/{training.pk}").json()["job"]["capabilities"]["delete"]
    assert TrainingJob.objects.filter(pk=training.pk).exists()


def test_a_draft_that_changed_meanwhile_is_not_deleted(cast: Cast) -> None:
    made = cast.owner.rest.post("/training-jobs", body(cast)).json()
    cast.owner.rest.patch(f"/training-jobs/{made['id']}", {"name": "Changed meanwhile"})
    answer = cast.owner.rest.delete(f"/training-jobs/{made['id']}", headers={"If-Match": '"1"'})
    assert answer.status_code == 412
    assert Job.objects.filter(pk=made["id"]).exists()
