"""Celery tasks of the job system: short, idempotent, ids only."""

from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.jobs import messages
from apps.jobs.executors import Presence, executor_for
from apps.jobs.models import Attempt
from apps.jobs.services.attempts import attempt_lost
from apps.jobs.services.dispatch import dispatch as dispatch_pass
from apps.jobs.services.reconcile import reconcile as reconcile_pass
from apps.jobs.states import OPEN_ATTEMPTS, AttemptState
from apps.resources.models import Node, NodeState


@shared_task(name="jobs.dispatch", ignore_result=True)
def dispatch() -> int:
    """One pass of the dispatcher."""
    return len(dispatch_pass().placed)


@shared_task(name="jobs.reconcile", ignore_result=True)
def reconcile() -> dict[str, int]:
    """One pass of the reconciler."""
    return reconcile_pass()


@shared_task(name="jobs.launch", ignore_result=True)
def launch(attempt_id: str) -> None:
    """Runs on the node: starts the attempt's launcher, whatever how often it is delivered."""
    attempt = _open_attempt(attempt_id)
    if attempt is not None and attempt.state == AttemptState.CLAIMED:
        executor_for(attempt.job.resource_group.executor).launch(attempt)


@shared_task(name="jobs.probe", ignore_result=True)
def probe(attempt_id: str) -> str:
    """Runs on the node whose launcher is silent: looks, and tidies up what is dead."""
    attempt = _open_attempt(attempt_id)
    if attempt is None or attempt.lease_until > timezone.now():
        return "answered"
    executor = executor_for(attempt.job.resource_group.executor)
    presence = executor.poll(attempt)
    if presence is Presence.ABSENT:
        attempt_lost(attempt=attempt, reason="never_started")
    elif presence is Presence.DEAD:
        executor.recover(attempt)
    elif presence is Presence.HUNG:
        # Killing is enough: the next probe finds it dead and recovers.
        executor.kill(attempt)
    return presence.value


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> int:
    """Asks every node that answers to tidy up after its attempts; returns how many were asked."""
    nodes = list(Node.objects.exclude(state=NodeState.OFFLINE))
    for node in nodes:
        messages.sweep(node.queue(0))
    return len(nodes)


@shared_task(name="jobs.sweep_node", ignore_result=True)
def sweep_node() -> int:
    """Runs on the node: removes what attempts that are over have left there."""
    return executor_for("subprocess").sweep()


def _open_attempt(attempt_id: Any) -> Attempt | None:
    rows = Attempt.objects.select_related("job__resource_group", "node")
    return rows.filter(pk=attempt_id, state__in=OPEN_ATTEMPTS, node__name=settings.NODE_NAME).first()
