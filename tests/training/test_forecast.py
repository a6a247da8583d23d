"""What a training is likely to take, as earlier ones tell, and when it is refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.testing import Cast
from apps.jobs.services.lifecycle import job_resume, job_submit
from apps.jobs.states import AttemptState, JobState
from apps.organizations.services import quotas
from apps.training.forecast import Plan, forecast
from apps.training.models import TrainingJob
from tests.factories.datasets import DatasetFactory
from tests.factories.jobs import AttemptFactory, JobFactory
from tests.factories.projects import ProjectFactory
from tests.factories.resources import ResourceGroupFactory
from tests.factories.training import TrainingJobFactory

SETTINGS = {"steps": 100, "delay": 0}


@pytest.fixture
def draft(cast: Cast) -> TrainingJob:
    """A draft that asks for two GPUs."""
    return training(cast, gpus=2)


def training(cast: Cast, **changes: Any) -> TrainingJob:
    job = {"gpus": 2, "state": JobState.DRAFT, "resource_group": cast.sample("resource-group")} | {
        name: changes.pop(name) for name in ("gpus", "state", "resource_group", "project") if name in changes
    }
    job.setdefault("project", cast.sample("project"))
    changes = {"task": "tabular", "model": "softmax", **changes}
    return TrainingJobFactory(job=JobFactory(**job), config=changes.pop("config", SETTINGS), **changes)


def earlier(cast: Cast, *minutes: float, **changes: Any) -> TrainingJob:
    """A training that succeeded, its attempts so many minutes long."""
    found = training(cast, **{"state": JobState.SUCCEEDED, **changes})
    end = timezone.now() - timedelta(days=40)
    for number, length in enumerate(minutes, 1):
        AttemptFactory(
            job=found.job,
            no=number,
            state=AttemptState.ENDED,
            claimed_at=end - timedelta(minutes=length),
            ended_at=end,
        )
    return found


def told(cast: Cast, draft: TrainingJob) -> Any:
    return forecast(cast.owner.actor, Plan.of(TrainingJob.objects.with_job().get(pk=draft.pk)))


def test_earlier_runs_of_the_same_kind_are_counted_with_all_their_attempts_and_gpus(
    cast: Cast, draft: TrainingJob
) -> None:
    earlier(cast, 60)
    earlier(cast, 60, 30)
    earlier(cast, 240)
    found = told(cast, draft)
    assert (found.runs, found.low, found.likely, found.high) == (3, 2.0, 3.0, 8.0)
    assert found.text == "Likely 3 GPU hours: 3 earlier runs took 2 to 8."
    assert (found.left, found.left_text) == (None, "")


@pytest.mark.parametrize(
    "other",
    [
        {"model": "wide"},
        {"task": "classify"},
        {"trainer": "ultralytics"},
        {"config": {**SETTINGS, "steps": 50}},
        {"config": {**SETTINGS, "epochs": 3, "steps": 7}},
        {"gpus": 1},
        {"state": JobState.STOPPED},
        {"state": JobState.FAILED},
    ],
    ids=str,
)
def test_other_work_says_nothing_about_it(cast: Cast, draft: TrainingJob, other: dict[str, Any]) -> None:
    earlier(cast, 60, **other)
    found = told(cast, draft)
    assert (found.runs, found.low, found.likely, found.high) == (0, None, None, None)
    assert "cannot be estimated" in found.text


def test_another_group_another_organization_and_what_may_not_be_seen_say_nothing(
    cast: Cast, draft: TrainingJob
) -> None:
    organization = cast.sample("organization")
    earlier(cast, 60, resource_group=ResourceGroupFactory(organization=organization))
    earlier(cast, 60, project=ProjectFactory())
    earlier(cast, 60, project=ProjectFactory(organization=organization))
    assert not told(cast, draft).is_known
    manager = forecast(cast.manager.actor, Plan.of(TrainingJob.objects.with_job().get(pk=draft.pk)))
    assert manager.runs == 1, "who manages sees every project of the organization"


def test_runs_on_the_same_dataset_come_before_others(cast: Cast) -> None:
    dataset, other = (DatasetFactory(project=cast.sample("project")) for _number in range(2))
    draft = training(cast, dataset=dataset)
    earlier(cast, 600, dataset=other)
    found = told(cast, draft)
    assert (found.runs, found.same_dataset, found.likely) == (1, False, 20.0)
    assert found.text == "Likely 20 GPU hours, as 1 earlier run took."
    earlier(cast, 60, dataset=dataset)
    found = told(cast, draft)
    assert (found.runs, found.same_dataset, found.likely) == (1, True, 2.0)
    assert found.text == "Likely 2 GPU hours, as 1 earlier run on this dataset took."


def test_the_newest_twenty_are_looked_at_in_a_few_queries(
    cast: Cast, draft: TrainingJob, django_assert_max_num_queries: Any
) -> None:
    earlier(cast, 6000)
    for _number in range(20):
        earlier(cast, 30)
    actor, plan = cast.owner.actor, Plan.of(TrainingJob.objects.with_job().get(pk=draft.pk))
    with django_assert_max_num_queries(4):
        found = forecast(actor, plan)
    assert (found.runs, found.high) == (20, 1.0)


def test_without_a_gpu_it_takes_no_hours(cast: Cast) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=0)
    found = told(cast, training(cast, gpus=0))
    assert (found.text, found.left_text, found.is_refused) == ("It asks for no GPU and takes no GPU hours.", "", False)


def test_what_is_left_is_told_and_more_than_that_is_no_refusal(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=1.5)
    earlier(cast, 60)
    found = told(cast, draft)
    assert (found.left, found.is_tight, found.is_refused) == (1.5, True, False)
    assert found.left_text == "The organization has 1.5 GPU hours left this month."
    assert cast.owner.rest.post(f"/training-jobs/{draft.pk}/start").status_code == 200


def test_only_when_nothing_is_left_it_is_refused(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=0)
    assert told(cast, draft).is_refused
    refused = cast.owner.rest.post(f"/training-jobs/{draft.pk}/start")
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded")
    assert refused.json()["params"] == {"quota": "max_gpu_hours_per_month", "limit": 0}
    draft.job.refresh_from_db()
    assert draft.job.state == JobState.DRAFT
    free = training(cast, gpus=0)
    assert cast.owner.rest.post(f"/training-jobs/{free.pk}/start").status_code == 200


def test_without_room_for_checkpoints_nothing_is_begun(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_storage_gb=0)
    for job in (draft, training(cast, gpus=0)):
        refused = cast.owner.rest.post(f"/training-jobs/{job.pk}/start")
        assert (refused.status_code, refused.json()["params"]["quota"]) == (409, "max_storage_gb")
    with pytest.raises(Conflict):
        job_resume(actor=cast.owner.actor, job=training(cast, state=JobState.STOPPED).job)
    cast.sample("organization").change(max_storage_gb=1)
    assert cast.owner.rest.post(f"/training-jobs/{draft.pk}/start").status_code == 200


def test_going_on_is_refused_likewise_and_what_begins_next_month_is_not(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=0)
    stopped = training(cast, state=JobState.STOPPED)
    with pytest.raises(Conflict) as caught:
        job_resume(actor=cast.owner.actor, job=stopped.job)
    assert caught.value.code == "quota_exceeded"
    draft.job.change(not_before=quotas.month_of(timezone.now())[1])
    assert job_submit(actor=cast.owner.actor, job=draft.job).state == JobState.QUEUED


def test_rest_tells_it_of_a_draft(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=10)
    url = f"/training-jobs/{draft.pk}/forecast"
    unknown = cast.viewer.rest.get(url).json()
    assert (unknown["runs"], unknown["likely"], unknown["left"]) == (0, None, 10)
    earlier(cast, 90)
    known = cast.viewer.rest.get(url).json()
    assert {name: known[name] for name in ("gpus", "runs", "low", "likely", "high", "same_dataset")} == {
        "gpus": 2,
        "runs": 1,
        "low": 3,
        "likely": 3,
        "high": 3,
        "same_dataset": False,
    }
    assert known["text"] == "Likely 3 GPU hours, as 1 earlier run took."
    assert cast.member.rest.get(url).status_code == 404


def test_the_form_and_the_page_of_a_draft_tell_it(cast: Cast) -> None:
    form = {
        "project": str(cast.sample("project").pk),
        "task": "tabular",
        "model": "softmax",
        "resource_group": str(cast.sample("resource-group").pk),
        "gpus": "2",
        "config.steps": "100",
    }
    url = "/training/forecast/?trainer=reference"
    assert 'hx-post="/training/forecast/?trainer=reference"' in (
        cast.owner.portal.get("/training/new/?trainer=reference").content.decode()
    )
    assert "cannot be estimated" in cast.owner.portal.post(url, form).content.decode()
    draft = training(cast)
    earlier(cast, 90)
    assert "Likely 3 GPU hours" in cast.owner.portal.post(url, form).content.decode()
    assert "Likely 3 GPU hours" in cast.viewer.portal.get(f"/training/{draft.pk}/").content.decode()
    for broken in ({"gpus": "many"}, {"config.steps": "0"}, {"resource_group": ""}):
        answer = cast.owner.portal.post(url, {**form, **broken})
        assert (answer.status_code, answer.content.strip()) == (200, b"")


def test_what_is_left_is_that_of_the_projects_organization(cast: Cast) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=7)
    cast.sample("foreign-organization").change(max_gpu_hours_per_month=123)
    form = {"task": "tabular", "model": "softmax", "gpus": "1", "project": str(cast.sample("project").pk)}
    form["resource_group"] = str(ResourceGroupFactory(organization=None).pk)
    url = "/training/forecast/?trainer=reference"
    assert "7 GPU hours left" in cast.owner.portal.post(url, form).content.decode()
    page = cast.stranger.portal.post(url, form).content.decode()
    assert "123 GPU hours left" in page


def test_a_scheduled_copy_is_refused_by_the_same_rule(cast: Cast, draft: TrainingJob) -> None:
    cast.sample("organization").change(max_gpu_hours_per_month=0)
    with pytest.raises(Conflict):
        job_submit(actor=Actor.system("beat"), job=draft.job)
