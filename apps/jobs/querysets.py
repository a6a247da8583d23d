from typing import TYPE_CHECKING, Self

from apps.core.policy import PermittedQuerySet
from apps.jobs.states import OPEN_ATTEMPTS, JobState

if TYPE_CHECKING:
    from apps.jobs.models import Attempt, Job  # noqa: F401


class JobQuerySet(PermittedQuerySet["Job"]):
    def queued(self) -> Self:
        """In the order of the queue."""
        return self.filter(state=JobState.QUEUED).order_by("-priority", "queued_at", "pk")


class AttemptQuerySet(PermittedQuerySet["Attempt"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_ATTEMPTS)
