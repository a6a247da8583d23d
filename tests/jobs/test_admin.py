"""Jobs in the admin: read-only, with the two actions that the portal has."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, assert_constant_queries
from apps.jobs.models import Job
from apps.jobs.states import JobState
from tests.jobs.support import make_job

pytestmark = pytest.mark.django_db
LIST = "/admin/jobs/job/"


@pytest.fixture
def job(cast: Cast) -> Job:
    return make_job(JobState.QUEUED, project=cast.sample("project"), resource_group=cast.sample("resource-group"))


def act(person: object, action: str, *jobs: Job) -> list[str]:
    person.user.is_staff = True  # type: ignore[attr-defined]
    person.user.save(update_fields=["is_staff"])  # type: ignore[attr-defined]
    body = {"action": action, "_selected_action": [str(job.pk) for job in jobs]}
    response = person.portal.post(LIST, body)  # type: ignore[attr-defined]
    assert response.status_code == 302, response.status_code
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_the_actions_stop_and_resume_and_are_audited(cast: Cast, job: Job) -> None:
    act(cast.platform, "stop_jobs", job)
    assert Job.objects.get(pk=job.pk).state == JobState.STOPPED
    act(cast.platform, "resume_jobs", job)
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED
    events = AuditEvent.objects.filter(actor_id=cast.platform.user.pk, action__startswith="job.")
    assert sorted(events.values_list("action", flat=True)) == ["job.resumed", "job.stop_requested"]


def test_what_cannot_be_done_is_said_per_job_and_the_others_are_done(cast: Cast, job: Job) -> None:
    done = make_job(JobState.SUCCEEDED, project=job.project, resource_group=job.resource_group, name='{"steps": 1}')
    said = act(cast.platform, "stop_jobs", job, done)
    assert Job.objects.get(pk=job.pk).state == JobState.STOPPED
    assert Job.objects.get(pk=done.pk).state == JobState.SUCCEEDED
    assert any("The job is not running." in line for line in said)


def test_who_may_only_look_cannot_act_there_either(cast: Cast, job: Job) -> None:
    said = act(cast.viewer, "stop_jobs", job)
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED
    assert any("You may see this" in line for line in said)
    act(cast.stranger, "stop_jobs", job)
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED


def test_the_page_shows_attempts_and_changes_nothing(cast: Cast, job: Job) -> None:
    page = cast.platform.portal.get(reverse("admin:jobs_job_change", args=[job.pk]))
    assert page.status_code == 200
    assert cast.platform.portal.post(reverse("admin:jobs_job_change", args=[job.pk]), {"name": "x"}).status_code == 403
    assert cast.platform.portal.get(reverse("admin:jobs_job_add")).status_code == 403


def test_the_list_costs_the_same_for_one_and_for_twenty(cast: Cast, job: Job) -> None:
    portal = cast.platform.portal
    assert_constant_queries(
        lambda: portal.get(LIST),
        add_rows=lambda count: [
            make_job(project=job.project, resource_group=job.resource_group) for _ in range(count)
        ],
    )
