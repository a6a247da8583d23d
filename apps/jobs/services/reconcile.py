"""One idempotent pass that compares rows, leases and nodes, and repairs what has come apart."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.core.operations import ingest
from apps.jobs import messages
from apps.jobs.models import Attempt, Job, ReconcilerPass, SlotClaim
from apps.jobs.services.attempts import attempt_lost
from apps.jobs.services.transitions import set_state
from apps.jobs.states import OPEN_ATTEMPTS, AttemptState, JobState
from apps.resources.models import NodeState
from apps.resources.services import nodes_check

# A launch that nobody picked up is sent again after this long.
RESEND_AFTER = timedelta(seconds=5)
# A shorter pause between two passes is no outage: beat's ticks come late when a machine is busy.
OUTAGE_AFTER = timedelta(seconds=10)
# A claim that no launcher ever answered is given up after this long.
NEVER_STARTED_AFTER = timedelta(seconds=90)


def reconcile() -> dict[str, int]:
    """One pass; returns what it found."""
    now = timezone.now()
    judging = _may_judge(now=now)
    counts = {"offline": nodes_check(), "resent": 0, "unreachable": 0, "lost": 0, "freed": _free_slots()}
    if not judging:
        return counts
    for attempt in Attempt.objects.open().select_related("job", "node"):
        if attempt.state == AttemptState.CLAIMED:
            if _is_never_started(attempt, now):
                attempt_lost(attempt=attempt, reason="never_started")
                counts["lost"] += 1
            else:
                counts["resent"] += _resend(attempt, now)
        elif attempt.lease_until < now:
            counts["unreachable"] += 1
            _lease_over(attempt=attempt)
            if _is_given_up(attempt, now):
                attempt_lost(attempt=attempt, reason="node_lost")
                counts["lost"] += 1
            else:
                messages.probe(attempt.pk, attempt.node.queue(attempt.job.gpus))
    return counts


@ingest("jobs.reconciler_pass")
def _may_judge(*, now: datetime) -> bool:
    """False while another pass runs, and for one lease after an outage of the reconciler itself.

    While it was away the launchers may have been cut off too: they get the time of a lease to call again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('jobs.reconcile'))")
        if not cursor.fetchone()[0]:
            return False
    lease = timedelta(seconds=settings.JOBS["lease_seconds"])
    row, created = ReconcilerPass.objects.get_or_create(id=1, defaults={"last_at": now, "judge_from": now + lease})
    if not created:
        if now - row.last_at > max(lease, OUTAGE_AFTER):
            row.judge_from = now + lease
        row.last_at = now
        row.save(update_fields=["last_at", "judge_from"])
    return now >= row.judge_from


def _is_never_started(attempt: Attempt, now: datetime) -> bool:
    return now - attempt.claimed_at > NEVER_STARTED_AFTER or attempt.node.state == NodeState.OFFLINE


def _resend(attempt: Attempt, now: datetime) -> bool:
    """Repeats a launch that nobody picked up for a while; whether it was time for that."""
    if attempt.launch_sent_at is not None and now - attempt.launch_sent_at <= RESEND_AFTER:
        return False
    Attempt.objects.filter(pk=attempt.pk).update(launch_sent_at=now)
    messages.launch(attempt.pk, attempt.node.queue(attempt.job.gpus))
    return True


@ingest("jobs.lease_over")
def _lease_over(*, attempt: Attempt) -> None:
    """Nobody has renewed the lease: not a failure yet, but people shall see it."""
    job = Job.objects.select_for_update().get(pk=attempt.job_id)
    attempt = Attempt.objects.get(pk=attempt.pk)
    if attempt.state not in OPEN_ATTEMPTS or attempt.lease_until >= timezone.now():
        return
    if attempt.unreachable_since is None:
        attempt.change(unreachable_since=timezone.now())
    if job.state in {JobState.STARTING, JobState.RUNNING, JobState.STOPPING}:
        set_state(job, JobState.UNREACHABLE)


def _is_given_up(attempt: Attempt, now: datetime) -> bool:
    """The node itself is silent: another may take over, once its slots can be thought free."""
    limit = timedelta(seconds=settings.JOBS["takeover_after_seconds"])
    silent_for = now - attempt.lease_until
    return attempt.node.state == NodeState.OFFLINE and silent_for > limit


def _free_slots() -> int:
    """Frees claims of attempts that are over; the services do it themselves, this is the net below them."""
    with transaction.atomic():
        return SlotClaim.objects.exclude(attempt__state__in=OPEN_ATTEMPTS).delete()[0]
