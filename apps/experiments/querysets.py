from typing import TYPE_CHECKING, Self

from django.db.models import Count, F, Q

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.experiments.models import Experiment, Run  # noqa: F401


class ExperimentQuerySet(PermittedQuerySet["Experiment"]):
    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def with_counts(self) -> Self:
        """Adds `run_count` and `finished_run_count`."""
        return self.annotate(
            run_count=Count("runs"), finished_run_count=Count("runs", filter=Q(runs__status="finished"))
        )

    def search(self, text: str) -> Self:
        return self.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else self


class RunQuerySet(PermittedQuerySet["Run"]):
    def running(self) -> Self:
        return self.filter(status="running")

    def waiting_for_mirror(self) -> Self:
        """Runs with messages that have not reached MLflow yet."""
        return self.filter(mirror_done__lt=F("mirror_wanted"))

    def search(self, text: str) -> Self:
        return self.filter(name__icontains=text) if text else self
