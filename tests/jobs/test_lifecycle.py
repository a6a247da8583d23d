"""What people ask of jobs: submit, stop, resume; who may, when it is possible, and what the audit log says."""

from typing import Any

import pytest
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, Forbidden, NotFound
from apps.core.testing import Cast, committed
from apps.jobs.models import Attempt, Job, SlotClaim
from apps.jobs.services import lifecycle
from apps.jobs.states import ACTIVE, RESUMABLE, JobState
from tests.jobs import support

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(cast: Cast) -> Job:
    return support.make_job(project=cast.sample("project"), resource_group=cast.sample("resource-group"))


def put(job: Job, state: str, **fields: Any) -> Job:
    Job.objects.filter(pk=job.pk).update(state=state, **fields)
    return Job.objects.get(pk=job.pk)


def actions() -> list[str]:
    found = AuditEvent.objects.filter(action__startswith="job.").order_by("id")
    return list(found.values_list("action", flat=True))


def test_a_draft_is_queued_with_one_audit_event_and_a_hint_to_the_dispatcher(
    cast: Cast, job: Job, sent: list[Any]
) -> None:
    with committed():
        lifecycle.job_submit(actor=cast.editor.actor, job=job)
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED
    assert actions() == ["job.submitted"]
    event = AuditEvent.objects.get(action="job.submitted")
    assert (event.entity_id, event.actor_id) == (str(job.pk), cast.editor.user.pk)
    assert [name for name, *_rest in sent] == ["jobs.dispatch"]


@pytest.mark.parametrize("state", [state for state in JobState if state != JobState.DRAFT])
def test_only_a_draft_is_submitted(cast: Cast, job: Job, state: str) -> None:
    put(job, state)
    with pytest.raises(Conflict) as refused:
        lifecycle.job_submit(actor=cast.editor.actor, job=job)
    assert refused.value.code == "not_a_draft"
    assert actions() == []


@pytest.mark.parametrize("service", [lifecycle.job_submit, lifecycle.job_stop, lifecycle.job_resume])
def test_viewers_see_but_may_not_and_strangers_see_nothing(cast: Cast, job: Job, service: Any) -> None:
    with pytest.raises(Forbidden):
        service(actor=cast.viewer.actor, job=job)
    with pytest.raises(NotFound):
        service(actor=cast.stranger.actor, job=job)
    with pytest.raises(NotFound):
        service(actor=cast.member.actor, job=job)
    assert actions() == []


def test_a_waiting_job_stops_at_once(cast: Cast, job: Job, told: support.Calls) -> None:
    put(job, JobState.QUEUED)
    lifecycle.job_stop(actor=cast.editor.actor, job=job)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.state, stored.reason_code) == (JobState.STOPPED, "user")
    assert told.ends == [(job.pk, JobState.STOPPED)]
    assert sorted(actions()) == ["job.ended", "job.stop_requested"]
    stop, ended = AuditEvent.objects.get(action="job.stop_requested"), AuditEvent.objects.get(action="job.ended")
    assert ended.parent_id == stop.pk or stop.parent_id == ended.pk
    with override("ko"):
        assert "중지됨" in readable([ended])[0].sentence


def test_a_job_that_no_launcher_has_greeted_stops_at_once_and_gives_its_slots_back(cast: Cast, job: Job) -> None:
    attempt = support.started(put(job, JobState.QUEUED))
    launcher = support.Launcher(attempt)
    lifecycle.job_stop(actor=cast.editor.actor, job=job)
    assert Job.objects.get(pk=job.pk).state == JobState.STOPPED
    assert Attempt.objects.get().state == "cancelled"
    assert not SlotClaim.objects.exists()
    # The launcher that comes too late is sent away.
    status, answer = launcher.hello()
    assert (status, answer["code"]) == (409, "stale")


def test_a_running_job_is_told_to_stop_with_the_grace_that_was_given(cast: Cast, job: Job) -> None:
    launcher = support.running(put(job, JobState.QUEUED))
    lifecycle.job_stop(actor=cast.editor.actor, job=job, grace_seconds=7)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.state, stored.stop_reason) == (JobState.STOPPING, "user")
    expected = [{"command": "stop", "reason": "user", "grace_seconds": 7}]
    assert launcher.heartbeat()[1]["commands"] == expected
    assert launcher.say(("log", {"level": "info", "message": "x"}))["commands"] == expected
    assert launcher.log(0, b"x")[1]["commands"] == expected
    assert launcher.end(exit_code=10)[1] == {"state": "stopped"}
    stored = Job.objects.get(pk=job.pk)
    assert (stored.state, stored.reason_code) == (JobState.STOPPED, "user")


def test_a_persons_stop_overrides_the_platforms(cast: Cast, job: Job) -> None:
    launcher = support.running(put(job, JobState.QUEUED))
    lifecycle.request_platform_stop(Job.objects.select_for_update().get(pk=job.pk), 120)
    lifecycle.job_stop(actor=cast.editor.actor, job=job)
    assert Job.objects.get(pk=job.pk).stop_reason == "user"
    assert launcher.end(exit_code=10)[1] == {"state": "stopped"}


@pytest.mark.parametrize("state", sorted(set(JobState) - ACTIVE - {JobState.QUEUED}))
def test_what_does_not_run_cannot_be_stopped(cast: Cast, job: Job, state: str) -> None:
    put(job, state)
    with pytest.raises(Conflict) as refused:
        lifecycle.job_stop(actor=cast.editor.actor, job=job)
    assert refused.value.code == "not_running"


def test_a_stop_asked_twice_is_refused_the_second_time(cast: Cast, job: Job) -> None:
    support.running(put(job, JobState.QUEUED))
    lifecycle.job_stop(actor=cast.editor.actor, job=job)
    with pytest.raises(Conflict):
        lifecycle.job_stop(actor=cast.editor.actor, job=job)
    assert actions() == ["job.stop_requested"]


@pytest.mark.parametrize("state", sorted(RESUMABLE))
def test_what_ended_early_is_resumed_with_a_fresh_count_of_restarts(cast: Cast, job: Job, state: str) -> None:
    put(job, state, restarts=5)
    lifecycle.job_resume(actor=cast.editor.actor, job=job)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.state, stored.restarts, actions()) == (JobState.QUEUED, 0, ["job.resumed"])


@pytest.mark.parametrize("state", sorted(set(JobState) - RESUMABLE))
def test_what_did_not_end_early_is_not_resumed(cast: Cast, job: Job, state: str) -> None:
    put(job, state)
    with pytest.raises(Conflict) as refused:
        lifecycle.job_resume(actor=cast.editor.actor, job=job)
    assert (refused.value.code, actions()) == ("not_resumable", [])


def test_a_resumed_job_gets_a_new_attempt_that_goes_on_from_the_checkpoint(cast: Cast, job: Job) -> None:
    first = support.running(put(job, JobState.QUEUED))
    first.say(("checkpoint", first.checkpoint("resume", b"state at 20", step=20)))
    lifecycle.job_stop(actor=cast.editor.actor, job=job)
    first.end(exit_code=10)
    lifecycle.job_resume(actor=cast.editor.actor, job=job)
    support.dispatch()
    second = support.Launcher(Attempt.objects.get(job=job, no=2), token="another-token")
    status, answer = second.hello("nonce-of-the-second")
    assert status == 200
    resume = answer["spec"]["resume_from"]
    assert (resume["step"], resume["path"]) == (20, "inputs/resume.ckpt")
    assert [file["target"] for file in answer["files"]] == ["inputs/resume.ckpt"]
    assert second.call("GET", f"blobs/{resume['sha256']}") == (200, b"state at 20")
    assert second.call("GET", f"blobs/{'0' * 64}")[0] == 404
    assert Attempt.objects.get(no=2).resumed_step == 20
