"""What people ask of a job: submit, stop, resume. And how every job ends."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.jobs import actions, messages
from apps.jobs.kinds import kind_of
from apps.jobs.models import Attempt, Job, SlotClaim
from apps.jobs.services.transitions import add_event, set_state
from apps.jobs.states import OPEN_ATTEMPTS, RESUMABLE, AttemptState, JobState
from apps.organizations.services import quotas


@operation("jobs.job_submit", permission="jobs.change_job", on="job")
def job_submit(*, actor: Actor, job: Job) -> Job:
    """Puts a draft into the queue."""
    job = Job.objects.select_for_update().get(pk=job.pk)
    if job.state != JobState.DRAFT:
        raise Conflict(_("Only a draft can be started."), code="not_a_draft")
    _require_quotas(job)
    set_state(job, JobState.QUEUED, reason="scheduled" if job.not_before else "")
    auditing.record(actor, actions.SUBMITTED, job)
    transaction.on_commit(messages.dispatch)
    return job


@operation("jobs.job_stop", permission="jobs.change_job", on="job")
def job_stop(*, actor: Actor, job: Job, grace_seconds: int = 120) -> Job:
    """Asks a job to stop. The trainer writes a checkpoint within the grace; then it is ended."""
    job = Job.objects.select_for_update().get(pk=job.pk)
    if job.state == JobState.STOPPING and job.stop_reason != "user":
        # The platform's own stop would start it again; the person's word counts.
        job.stop_reason = "user"
        job.save(update_fields=["stop_reason"])
    elif job.state in {JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.UNREACHABLE}:
        _request_stop(job, "user", grace_seconds)
    else:
        raise Conflict(_("The job is not running."), code="not_running", params={"state": job.state})
    auditing.record(actor, actions.STOP_REQUESTED, job, params={"grace_seconds": grace_seconds})
    return job


@operation("jobs.job_resume", permission="jobs.change_job", on="job")
def job_resume(*, actor: Actor, job: Job) -> Job:
    """Puts a job that ended early back into the queue; a new attempt goes on from its last checkpoint."""
    job = Job.objects.select_for_update().get(pk=job.pk)
    if job.state not in RESUMABLE:
        raise Conflict(
            _("Only a stopped, failed or errored job can be resumed."),
            code="not_resumable",
            hint=_("Retry starts the same work from the beginning."),
            params={"state": job.state},
        )
    _require_quotas(job)
    job.restarts = 0
    job.save(update_fields=["restarts"])
    set_state(job, JobState.QUEUED)
    kind_of(job).on_resume(job)
    auditing.record(actor, actions.RESUMED, job)
    transaction.on_commit(messages.dispatch)
    return job


def _require_quotas(job: Job) -> None:
    """Nothing is queued that could not start, or not keep its checkpoints; a later month has hours of its own."""
    if kind_of(job).needs_checkpoint:
        quotas.require_storage(job.organization_id)
    if job.gpus and not (job.not_before and job.not_before >= quotas.month_of(timezone.now())[1]):
        quotas.require_gpu_hours(job.organization_id)


def request_platform_stop(job: Job, grace_seconds: int) -> None:
    """The machine goes down in order: the locked job writes a checkpoint and waits in the queue for the next start."""
    _request_stop(job, "platform_stopping", grace_seconds)


def _request_stop(job: Job, reason: str, grace_seconds: int) -> None:
    attempt = job.attempts.filter(state__in=OPEN_ATTEMPTS).first()
    if attempt is None or attempt.state == AttemptState.CLAIMED:
        # No launcher said hello, and after this none can.
        if attempt is not None:
            close_attempt(attempt, AttemptState.CANCELLED, reason)
            SlotClaim.objects.filter(attempt=attempt).delete()
        finish(job, attempt, JobState.QUEUED if reason == "platform_stopping" else JobState.STOPPED, reason)
        return
    job.stop_reason, job.stop_requested_at = reason, timezone.now()
    job.stop_grace_seconds = grace_seconds
    job.save(update_fields=["stop_reason", "stop_requested_at", "stop_grace_seconds"])
    if job.state != JobState.UNREACHABLE:
        set_state(job, JobState.STOPPING, reason=reason)
    else:
        add_event(job, "stop", {"reason": reason})
        job.save(update_fields=["event_seq"])


def close_attempt(attempt: Attempt, state: AttemptState, reason: str, **fields: Any) -> None:
    """Ends an attempt; its job must be locked."""
    attempt.change(state=state, end_reason=reason, ended_at=timezone.now(), unreachable_since=None, **fields)


def finish(
    job: Job, attempt: Attempt | None, state: JobState, reason: str, params: dict[str, Any] | None = None
) -> None:
    """Moves the locked job to its end, or back into the queue, tells its kind, and notes it.

    The one place where attempts turn into outcomes: nothing else may end a job.
    """
    if job.state == JobState.QUEUED and state == JobState.QUEUED:
        return
    set_state(job, state, reason=reason, params=params)
    kind_of(job).on_end(job, attempt)
    if job.is_terminal:
        _note_end(actor=Actor.system("jobs"), job=job)
    transaction.on_commit(messages.dispatch)


@operation("jobs.job_ended")
def _note_end(*, actor: Actor, job: Job) -> None:
    params = {"state": job.state, "reason": job.reason_code}
    auditing.record(actor, actions.ENDED, job, params=params)
