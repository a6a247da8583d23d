"""Jobs of an organization that is closed are stopped; with the organization they go, and their files in the store."""

from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.departures.contributions import Contribution, Removal
from apps.jobs.models import Attempt, AttemptFile, Job, JobArtifact, JobEvent, LogChunk
from apps.jobs.services.lifecycle import job_stop
from apps.jobs.states import ACTIVE, JobState

# Of one pass.
MOST = 200


def _events(organization_id: UUID) -> QuerySet[JobEvent]:
    return JobEvent.objects.filter(job__organization_id=organization_id)


def _chunks(organization_id: UUID) -> QuerySet[LogChunk]:
    return LogChunk.objects.filter(job__organization_id=organization_id)


def _files(organization_id: UUID) -> QuerySet[AttemptFile]:
    return AttemptFile.objects.filter(attempt__job__organization_id=organization_id)


def _artifacts(organization_id: UUID) -> QuerySet[JobArtifact]:
    return JobArtifact.objects.filter(job__organization_id=organization_id)


def _attempts(organization_id: UUID) -> QuerySet[Attempt]:
    return Attempt.objects.filter(job__organization_id=organization_id)


def _jobs(organization_id: UUID) -> QuerySet[Job]:
    return Job.objects.filter(organization_id=organization_id)


def halt(organization_id: UUID) -> int:
    """Stops what runs or waits to run; returns how many attempts still hold a machine."""
    by_platform = Q(state=JobState.STOPPING) & ~Q(stop_reason="user")
    unreachable = Q(state=JobState.UNREACHABLE) & ~Q(stop_reason="user")
    working = Q(state__in=(JobState.QUEUED, JobState.STARTING, JobState.RUNNING)) | by_platform | unreachable
    for job in Job.objects.filter(working, organization_id=organization_id).order_by("pk")[:MOST]:
        try:
            job_stop(actor=Actor.system("deletion"), job=job)
        except Conflict:
            # It ended by itself a moment ago.
            continue
    return Job.objects.filter(organization_id=organization_id, state__in=ACTIVE).count()


def _logs_folder(organization_id: UUID) -> str:
    return f"logs/{organization_id}/"


def _blobs_folder(organization_id: UUID) -> str:
    return f"blobs/{organization_id}/"


CONTRIBUTION = Contribution(
    removals=tuple(map(Removal, (_events, _chunks, _files, _artifacts, _attempts, _jobs))),
    folders=(_logs_folder, _blobs_folder),
    halt=halt,
)
