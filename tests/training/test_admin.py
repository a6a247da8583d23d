"""Trainings in the admin: a draft is changed there, and every one is acted on (R2, T12)."""

import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, Person
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.training.models import TrainingJob
from apps.training.services import training_create

pytestmark = pytest.mark.django_db
LIST = "/admin/training/trainingjob/"


def staff(person: Person) -> Any:
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    return person.portal


def draft(cast: Cast) -> TrainingJob:
    return training_create(
        actor=cast.owner.actor,
        project=cast.sample("project"),
        name="A draft",
        trainer="reference",
        resource_group=cast.sample("resource-group"),
    )


@pytest.fixture
def training(cast: Cast) -> TrainingJob:
    return draft(cast)


def asked(training: TrainingJob, **fields: Any) -> dict[str, Any]:
    job = training.job
    shown = {name: str(getattr(job, name)) for name in ("name", "priority", "cpus", "memory_mb", "gpus")}
    shown |= {"resource_group": str(job.resource_group_id), "not_before_0": "", "not_before_1": "", "dataset_id": ""}
    return {**shown, "seed": str(training.seed), "config": json.dumps(training.config), **fields}


def act(person: Person, action: str, *rows: TrainingJob) -> list[str]:
    with override("en"):
        answer = staff(person).post(LIST, {"action": action, "_selected_action": [str(row.pk) for row in rows]})
    assert answer.status_code == 302
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_a_draft_is_changed_and_only_what_differs_is_noted(cast: Cast, training: TrainingJob) -> None:
    path = f"{LIST}{training.pk}/change/"
    text = cast.platform.portal.get(path).content.decode()
    assert 'name="name"' in text and 'value="A draft"' in text
    config = json.dumps(training.config | {"steps": 9})
    wanted = {"name": "Renamed", "priority": "3", "seed": "7", "cpus": "2", "config": config}
    dataset = cast.sample("dataset")
    wanted |= {"not_before_0": "2030-01-02", "not_before_1": "03:04", "dataset_id": str(dataset.pk)}
    assert cast.platform.portal.post(path, asked(training, **wanted)).status_code == 302
    fresh = TrainingJob.objects.get(pk=training.pk)
    job = fresh.job
    assert (job.name, job.priority, fresh.seed, job.cpus, fresh.config["steps"]) == ("Renamed", 3, 7, 2, 9)
    assert job.not_before is not None and job.not_before.year == 2030
    assert fresh.dataset == dataset
    event = AuditEvent.objects.get(action="training.changed")
    assert event.actor_id == cast.platform.user.pk


def test_what_a_draft_cannot_be_is_refused_with_the_reason(cast: Cast, training: TrainingJob) -> None:
    path = f"{LIST}{training.pk}/change/"
    for wrong in (
        {"name": ""},
        {"priority": "11"},
        {"cpus": "0"},
        {"seed": "-1"},
        {"config": "{"},
        {"name": "a\x1bb"},
    ):
        assert cast.platform.portal.post(path, asked(training, **wrong)).status_code == 200, wrong
    answer = cast.platform.portal.post(path, asked(training, config='{"no_such_setting": 1}'))
    assert [str(message) for message in get_messages(answer.wsgi_request)] != []
    foreign = str(cast.sample("foreign-organization").pk)
    assert cast.platform.portal.post(path, asked(training, resource_group=foreign)).status_code == 200
    assert not AuditEvent.objects.filter(action="training.changed").exists()


def test_what_has_started_is_looked_at_and_neither_changed_nor_deleted(cast: Cast, training: TrainingJob) -> None:
    assert "Started: A draft." in act(cast.platform, "start", training)
    path = f"{LIST}{training.pk}/"
    text = cast.platform.portal.get(f"{path}change/").content.decode()
    assert 'name="priority"' not in text
    assert cast.platform.portal.post(f"{path}change/", asked(training, name="Renamed")).status_code == 403
    assert cast.platform.portal.post(f"{path}delete/", {"post": "yes", "reason": "a test"}).status_code == 403
    assert Job.objects.get(pk=training.pk).name == "A draft"


def test_it_is_started_stopped_resumed_begun_anew_and_copied(cast: Cast, training: TrainingJob) -> None:
    def state() -> str:
        return Job.objects.get(pk=training.pk).state

    act(cast.platform, "start", training)
    assert state() == JobState.QUEUED
    act(cast.platform, "stop", training)
    assert state() == JobState.STOPPED
    act(cast.platform, "retry", training)
    fresh = Job.objects.get(retry_of=training.pk)
    assert (fresh.state, state()) == (JobState.QUEUED, JobState.STOPPED)
    act(cast.platform, "resume", training)
    assert state() == JobState.QUEUED
    said = act(cast.platform, "clone", training)
    assert "A copy of A draft is a draft now." in said
    assert Job.objects.filter(name="Copy of A draft", state=JobState.DRAFT).count() == 1


def test_a_draft_is_deleted_and_a_selection_with_another_is_refused_whole(cast: Cast, training: TrainingJob) -> None:
    other = draft(cast)
    act(cast.platform, "start", other)
    body = {"action": "delete_selected", "post": "yes", "reason": "a test"}
    both = body | {"_selected_action": [str(training.pk), str(other.pk)]}
    cast.platform.portal.post(LIST, both)
    assert TrainingJob.objects.filter(pk__in=[training.pk, other.pk]).count() == 2
    path = f"{LIST}{training.pk}/delete/"
    assert cast.platform.portal.post(path, {"post": "yes", "reason": "a test"}).status_code == 302
    assert not Job.objects.filter(pk=training.pk).exists()


def test_who_may_only_look_changes_nothing_there(cast: Cast, training: TrainingJob) -> None:
    for person, status in ((cast.viewer, 403), (cast.stranger, 302)):
        for action in ("start", "clone"):
            act(person, action, training)
        path = f"{LIST}{training.pk}/"
        assert staff(person).post(f"{path}change/", asked(training, name="Renamed")).status_code == status
        assert staff(person).post(f"{path}delete/", {"post": "yes", "reason": "a test"}).status_code == status
    assert list(Job.objects.values_list("name", "state")) == [("A draft", JobState.DRAFT)]
