from typing import TYPE_CHECKING, Self
from uuid import UUID

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.training.models import Checkpoint, TrainingJob  # noqa: F401


class TrainingJobQuerySet(PermittedQuerySet["TrainingJob"]):
    def with_job(self) -> Self:
        return self.select_related("job__project", "job__created_by", "dataset", "snapshot", "schedule")

    def search(self, text: str) -> Self:
        return self.filter(job__name__icontains=text) if text else self


class CheckpointQuerySet(PermittedQuerySet["Checkpoint"]):
    def newest_resume(self, job_id: UUID) -> "Checkpoint | None":
        """Where a new attempt of the job goes on."""
        rows = self.filter(job_id=job_id, kind="resume", step__isnull=False)
        return rows.order_by("-attempt_no", "-step", "-pk").first()
