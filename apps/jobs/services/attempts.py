"""What launchers say: hello, heartbeat, end. Every call carries the attempt's token."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.core.errors import Conflict, DomainError, NotAuthenticated, NotFound
from apps.core.operations import ingest
from apps.core.storage import storage
from apps.core.storage.keys import blob_root
from apps.jobs.kinds import Plan, kind_of
from apps.jobs.models import Attempt, AttemptFile, Job, JobEvent, SlotClaim
from apps.jobs.services.lifecycle import close_attempt, finish
from apps.jobs.services.transitions import set_state
from apps.jobs.states import OPEN_ATTEMPTS, AttemptState, JobState
from apps.trainers.catalogue import Trainer
from apps.trainers.catalogue import trainer as trainer_of

CONTRACT = 1
EXIT_REASONS = {2: "bad_config", 3: "bad_data", 4: "out_of_memory", 5: "mode_not_honoured", 6: "diverged"}
# What a launcher may give as reason for an end that the trainer did not bring about.
PLATFORM_REASONS = {
    "environment_failed",
    "input_invalid",
    "input_missing",
    "input_damaged",
    "trainer_missing",
    "launcher_failed",
}


MESSAGE_CHARACTERS = 1000

# Every call of every launcher reads these two: as plain SQL they cost half of what it takes to compose them anew.
LOCK_JOB = "SELECT * FROM jobs_job WHERE id = %s FOR UPDATE"
# The same, in a transaction whose answer does not wait for the disk: what a crash of the server takes with it, the
# launcher sends again, for its next batch is refused with the number that is really stored (`gap`, `not_yet`).
LOCK_JOB_UNSYNCED = (
    "SELECT job.*, set_config('synchronous_commit', 'off', true) FROM jobs_job job WHERE id = %s FOR UPDATE"
)
READ_ATTEMPT = "SELECT * FROM jobs_attempt WHERE id = %s"
# What every batch of events changes of both rows.
WRITE_CURSORS = """
WITH renewed AS (
    UPDATE jobs_attempt SET lease_until = %s, trainer_acked = %s, launcher_acked = %s WHERE id = %s
)
UPDATE jobs_job SET event_seq = %s WHERE id = %s
"""


class Stale(Conflict):
    """The attempt's writes are not wanted any more: its launcher must leave."""

    code = "stale"

    def __init__(self, message: str = "This attempt is over.") -> None:
        super().__init__(message)


def authenticate(attempt_id: UUID, token: str) -> Attempt:
    """The attempt whose token this is. Raises `NotAuthenticated`."""
    # Without its job: the calls that come often read that anew under a lock.
    attempt = next(iter(Attempt.objects.raw(READ_ATTEMPT, [attempt_id])), None)
    digest = token_digest(token)
    if attempt is None or not attempt.token_hash or not secrets.compare_digest(attempt.token_hash, digest):
        raise NotAuthenticated("The attempt's token is not valid.", code="token_invalid")
    return attempt


def token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def locked(attempt: Attempt, *, synced: bool = True) -> tuple[Job, Attempt]:
    """Job and attempt, fresh, with the job locked. Raises `Stale` when the attempt may not write any more.

    Not `synced`, for what the launcher can send again: the commit does not wait for the disk.
    """
    (job,) = Job.objects.raw(LOCK_JOB if synced else LOCK_JOB_UNSYNCED, [attempt.job_id])
    (attempt,) = Attempt.objects.raw(READ_ATTEMPT, [attempt.pk])
    if attempt.state not in OPEN_ATTEMPTS or job.attempt_no != attempt.no or job.is_terminal:
        raise Stale
    return job, attempt


@ingest("jobs.attempt_arm")
def attempt_arm(*, attempt: Attempt, token: str) -> bool:
    """Stores the digest of the token that the node has made; False when the attempt is not waiting for a launcher.

    The node keeps one token per attempt, so that a launch delivered twice arms it with the same one.
    """
    job = Job.objects.select_for_update().get(pk=attempt.job_id)
    attempt = Attempt.objects.get(pk=attempt.pk)
    if attempt.state not in OPEN_ATTEMPTS or job.attempt_no != attempt.no:
        return False
    if attempt.token_hash != token_digest(token):
        if attempt.nonce:
            return False
        attempt.change(token_hash=token_digest(token))
    return True


def attempt_hello(*, attempt: Attempt, nonce: str, recovering: bool) -> dict[str, Any]:
    """A launcher's first call: compare-and-set, then everything it needs. Raises `Stale`."""
    answer = _hello(attempt=attempt, nonce=nonce, recovering=recovering)
    if answer is None:
        # Outside the transaction, which keeps that the job cannot be run.
        raise Stale
    return answer


@ingest("jobs.attempt_hello")
def _hello(*, attempt: Attempt, nonce: str, recovering: bool) -> dict[str, Any] | None:
    """The answer to hello; None when the job cannot be run at all and has been ended."""
    job, attempt = locked(attempt)
    if recovering:
        if attempt.state != AttemptState.LIVE:
            raise Stale
    elif attempt.nonce and attempt.nonce != nonce:
        # A second launcher of the same message.
        raise Stale
    now = timezone.now()
    try:
        plan = kind_of(job).plan(job, attempt)
        trainer = _trainer_of(plan)
    except DomainError as error:
        _refuse(job, attempt, error)
        return None
    attempt.change(
        state=AttemptState.LIVE,
        nonce=nonce,
        hello_at=attempt.hello_at or now,
        lease_until=_lease(),
        resumed_step=attempt.resumed_step if recovering else plan.resumed_step,
    )
    _answered(job, attempt)
    return {
        "spec": _spec(job, attempt, plan),
        "trainer": {
            "name": trainer.name,
            "package": trainer.descriptor.package,
            "path": trainer.folder,
            "environment": {
                "requirements": trainer.descriptor.requirements,
                "variables": trainer.descriptor.variables,
            },
        },
        "dataset": plan.has_dataset,
        "files": [{"sha256": file.sha256, "size": file.size, "target": file.target} for file in plan.files],
        "lease_seconds": settings.JOBS["lease_seconds"],
        "heartbeat_seconds": settings.JOBS["heartbeat_seconds"],
        "ship_seconds": 0.25,
        "log_cap_bytes": settings.JOBS["log_cap_bytes"],
        "blob_root": _blob_folder(job),
        "commands": commands(job),
        "cursors": {
            "trainer": attempt.trainer_acked,
            "launcher": attempt.launcher_acked,
            "log": attempt.log_bytes,
        },
    }


@ingest("jobs.attempt_heartbeat")
def attempt_heartbeat(*, attempt: Attempt) -> dict[str, Any]:
    """Renews the lease and passes on what is asked of the trainer."""
    job, attempt = locked(attempt)
    renew(job, attempt)
    return {"lease_until": attempt.lease_until.timestamp(), "commands": commands(job)}


def renew(job: Job, attempt: Attempt, *, came: bool = False) -> None:
    """The lease holds for another while; an unreachable job is back. `came`: with events, whose cursors are saved too."""
    attempt.lease_until = _lease()
    if came:
        with connection.cursor() as cursor:
            cursor.execute(
                WRITE_CURSORS,
                [
                    attempt.lease_until,
                    attempt.trainer_acked,
                    attempt.launcher_acked,
                    attempt.pk,
                    job.event_seq,
                    job.pk,
                ],
            )
    else:
        Attempt.objects.filter(pk=attempt.pk).update(lease_until=attempt.lease_until)
    _answered(job, attempt)


def commands(job: Job) -> list[dict[str, Any]]:
    if not job.stop_reason:
        return []
    return [{"command": "stop", "reason": job.stop_reason, "grace_seconds": job.stop_grace_seconds}]


@ingest("jobs.attempt_end")
def attempt_end(
    *,
    attempt: Attempt,
    exit_code: int | None,
    signal: int | None,
    reason: str,
    params: dict[str, Any],
    last_seq: dict[str, int],
    log_bytes: int,
) -> str:
    """The launcher's last word. Raises `Conflict("not_yet")` until everything before it has arrived.

    Returns the job's state. Said twice, it is the same answer.
    """
    job = Job.objects.select_for_update().get(pk=attempt.job_id)
    attempt = Attempt.objects.get(pk=attempt.pk)
    if attempt.state == AttemptState.ENDED:
        return job.state
    if attempt.state not in OPEN_ATTEMPTS or job.attempt_no != attempt.no:
        raise Stale
    missing = {
        stream: acked
        for stream, acked in (("trainer", attempt.trainer_acked), ("launcher", attempt.launcher_acked))
        if acked < last_seq.get(stream, 0)
    }
    if attempt.log_bytes < log_bytes:
        missing["log"] = attempt.log_bytes
    if missing:
        raise Conflict("Not everything has arrived.", code="not_yet", params={"missing": missing})
    state, code, facts = outcome(job, attempt, exit_code=exit_code, signal=signal, reason=reason, params=params)
    close_attempt(attempt, AttemptState.ENDED, code, exit_code=exit_code, exit_signal=signal)
    # The launcher has ended everything it started before it says so.
    SlotClaim.objects.filter(attempt=attempt).delete()
    if state == JobState.QUEUED and code != "platform_stopping":
        job.restarts += 1
        job.save(update_fields=["restarts"])
    finish(job, attempt, state, code, facts)
    return job.state


def outcome(
    job: Job, attempt: Attempt, *, exit_code: int | None, signal: int | None, reason: str, params: dict[str, Any]
) -> tuple[JobState, str, dict[str, Any]]:
    """What an attempt's end means for its job: state, reason code, facts (docs/trainer-contract.md, exit codes)."""
    result, failure = attempt.outcome.get("result"), attempt.outcome.get("failure")
    if exit_code == 0 and result is not None and result.get("status") == "succeeded":
        if kind_of(job).needs_checkpoint and not _has_weights(attempt):
            return JobState.FAILED, "no_result", {}
        # The result arrived before the stop took effect: it is the one that counts.
        return JobState.SUCCEEDED, "", {}
    if job.stop_reason == "user" and exit_code not in EXIT_REASONS:
        killed = signal == 9 or exit_code == 137
        return JobState.STOPPED, "user_killed" if killed else "user", {}
    # A launcher that is told to leave by its machine stops its trainer the same way.
    if "platform_stopping" in {job.stop_reason, reason} and exit_code not in EXIT_REASONS:
        return JobState.QUEUED, "platform_stopping", {}
    if reason == "out_of_memory" or exit_code == 4:
        return JobState.FAILED, "out_of_memory", {}
    if reason in PLATFORM_REASONS:
        return JobState.ERRORED, reason, {"message": _text(params.get("message"))}
    message = {"message": _text((failure or {}).get("message", params.get("message")))}
    if not message["message"]:
        ending = f"signal {signal}" if signal else f"exit code {exit_code}"
        message = {"message": ending}
    if reason == "journal_invalid":
        return JobState.FAILED, "journal_invalid", message
    if exit_code in EXIT_REASONS:
        return JobState.FAILED, EXIT_REASONS[exit_code], message
    if reason == "launcher_lost" or signal == 9 or exit_code == 137:
        code = "launcher_lost" if reason == "launcher_lost" else "killed"
        if job.restarts < settings.JOBS["max_restarts"]:
            return JobState.QUEUED, "restarting", {"after": code}
        state = JobState.ERRORED if code == "launcher_lost" else JobState.FAILED
        return state, code, {"count": job.restarts + 1}
    if exit_code == 10:
        return JobState.STOPPED, "stopped_itself", {}
    if exit_code == 0:
        return JobState.FAILED, "no_result", {}
    return JobState.FAILED, "trainer_crashed", message


def _text(value: Any) -> str:
    """What a trainer or launcher says of an end, as a row can hold it: no NUL, no half a surrogate."""
    if not isinstance(value, str):
        return ""
    return value[:MESSAGE_CHARACTERS].replace("\0", "").encode("utf-8", "replace").decode()


@ingest("jobs.attempt_lost")
def attempt_lost(*, attempt: Attempt, reason: str) -> None:
    """Nobody can report the end, and nothing of the attempt runs any more: its job starts again, or gives up."""
    job = Job.objects.select_for_update().get(pk=attempt.job_id)
    attempt = Attempt.objects.get(pk=attempt.pk)
    if attempt.state not in OPEN_ATTEMPTS:
        return
    close_attempt(attempt, AttemptState.LOST, reason)
    SlotClaim.objects.filter(attempt=attempt).delete()
    if job.is_terminal or job.attempt_no != attempt.no:
        return
    if job.stop_reason == "user":
        finish(job, attempt, JobState.STOPPED, "user_killed")
    elif job.stop_reason == "platform_stopping":
        finish(job, attempt, JobState.QUEUED, "platform_stopping")
    elif job.restarts < settings.JOBS["max_restarts"]:
        job.restarts += 1
        job.save(update_fields=["restarts"])
        finish(job, attempt, JobState.QUEUED, "restarting", {"after": reason})
    else:
        finish(job, attempt, JobState.ERRORED, reason, {"count": job.restarts + 1})


def _trainer_of(plan: Plan) -> Trainer:
    try:
        return trainer_of(plan.trainer)
    except NotFound as error:
        raise NotFound(error.message, code="trainer_gone") from error


def _refuse(job: Job, attempt: Attempt, error: DomainError) -> None:
    """The job cannot be run at all; the launcher that asked is sent away."""
    close_attempt(attempt, AttemptState.CANCELLED, error.code)
    SlotClaim.objects.filter(attempt=attempt).delete()
    finish(job, attempt, JobState.ERRORED, error.code, {"message": str(error.message)})


def _answered(job: Job, attempt: Attempt) -> None:
    if attempt.unreachable_since is not None:
        attempt.change(unreachable_since=None)
    if job.state == JobState.UNREACHABLE:
        if job.stop_reason:
            set_state(job, JobState.STOPPING, reason=job.stop_reason)
        else:
            began = JobEvent.objects.filter(job=job, attempt_no=attempt.no, stream="trainer", type="started")
            set_state(job, JobState.RUNNING if began.exists() else JobState.STARTING)


def _lease() -> Any:
    return timezone.now() + timedelta(seconds=settings.JOBS["lease_seconds"])


def _spec(job: Job, attempt: Attempt, plan: Plan) -> dict[str, Any]:
    claim = SlotClaim.objects.get(attempt=attempt)
    return {
        "contract": CONTRACT,
        "mode": "train",
        "task": "",
        "model": "",
        "config": {},
        "seed": 0,
        # An object asks the launcher to fetch the dataset; it fills in where it lies.
        "dataset": {"manifest": "inputs/dataset/manifest.json"} if plan.has_dataset else None,
        "resume_from": None,
        "start_from": None,
        "inputs": [],
        **plan.spec,
        "job_id": str(job.pk),
        "attempt_id": str(attempt.pk),
        "attempt_no": attempt.no,
        "trainer": plan.trainer,
        "resources": {"cpus": claim.cpus, "gpus": claim.gpu_indexes, "memory_mb": claim.memory_mb},
    }


def _blob_folder(job: Job) -> str | None:
    folder = storage().local_path(blob_root(job.organization_id))
    return str(folder) if folder is not None else None


def _has_weights(attempt: Attempt) -> bool:
    """Whether a `best` or `last` checkpoint of this attempt has arrived; one to resume from is no result."""
    events = JobEvent.objects.filter(
        job_id=attempt.job_id, attempt_no=attempt.no, stream="trainer", type="checkpoint"
    ).filter(data__kind__in=["best", "last"])
    digests = events.exclude(data__has_any_keys=["superseded", "missing"]).values_list("data__sha256", flat=True)
    return AttemptFile.objects.filter(attempt=attempt, kind="checkpoint", sha256__in=list(digests)).exists()
