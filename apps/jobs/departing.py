"""Jobs of an organization that is closed are stopped; with it, or with their project, they go, and their files in the
store."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.storage import stores
from apps.core.storage.loose import note_loose
from apps.departures.contributions import Contribution, Removal
from apps.departures.removing import steps_of
from apps.jobs.models import Attempt, AttemptFile, Job, JobArtifact, JobEvent, LogChunk, SlotClaim
from apps.jobs.services.lifecycle import job_stop
from apps.jobs.states import ACTIVE, JobState
from apps.projects.contents import Contents
from apps.projects.models import Project

# Of one pass.
MOST = 200


def _loosened(path: str) -> Callable[[QuerySet[Any]], None]:
    """The bytes of these rows are kept for the grace, and go then."""
    return lambda rows: note_loose(rows.values_list(path, "sha256"))


def _without_objects(rows: QuerySet[Any]) -> None:
    for key in rows.values_list("key", flat=True):
        for store in stores().values():
            store.delete(key)


def removals(within: str) -> tuple[Removal, ...]:
    """All rows of jobs, in the order in which they can go; `within` is the field of a job that the id is of."""

    def under(model: type[Any], path: str) -> Callable[[UUID], QuerySet[Any]]:
        return lambda key: model.objects.filter(**{f"{path}{within}": key})

    return (
        Removal(under(JobEvent, "job__")),
        Removal(under(LogChunk, "job__"), ahead=_without_objects),
        Removal(under(AttemptFile, "attempt__job__"), within=_loosened("attempt__job__organization_id")),
        Removal(under(JobArtifact, "job__"), within=_loosened("job__organization_id")),
        Removal(under(Attempt, "job__")),
        Removal(under(Job, "")),
    )


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
    removals=removals("organization_id"),
    folders=(_logs_folder, _blobs_folder),
    halt=halt,
)


def _held(project: Project) -> Conflict | None:
    """A machine that has not said that it runs nothing of an attempt any more still may."""
    if not SlotClaim.objects.filter(attempt__job__project=project).exists():
        return None
    return Conflict(
        _("A machine still holds an attempt of this project."),
        code="project_busy",
        hint=_("Wait until it has answered, or is known to be gone."),
    )


CONTENTS = Contents(steps_of(removals("project_id")), _held)
