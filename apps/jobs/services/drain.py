"""Orderly shutdown of a machine: its trainings write a checkpoint and wait for the next start."""

from uuid import UUID

from apps.core.operations import ingest
from apps.jobs.models import Attempt, Job
from apps.jobs.services.lifecycle import request_platform_stop
from apps.jobs.states import JobState
from apps.resources.services import node_drain


def drain(node_name: str, grace_seconds: int) -> int:
    """Gives the node no new work and asks its launchers to stop; returns how many were asked."""
    node_drain(name=node_name)
    asked = 0
    for job_id in Attempt.objects.open().filter(node__name=node_name).values_list("job_id", flat=True):
        asked += _stop(job_id=job_id, grace_seconds=grace_seconds)
    return asked


def remaining(node_name: str) -> int:
    """Attempts that still run on the node."""
    return Attempt.objects.open().filter(node__name=node_name).count()


@ingest("jobs.drain")
def _stop(*, job_id: UUID, grace_seconds: int) -> int:
    job = Job.objects.select_for_update().get(pk=job_id)
    if job.state not in {JobState.STARTING, JobState.RUNNING, JobState.UNREACHABLE}:
        return 0
    request_platform_stop(job, grace_seconds)
    return 1
