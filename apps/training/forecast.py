"""What a training is likely to take of the month's GPU hours, told before it is queued.

Nothing is reckoned from sizes or speeds: what earlier trainings of the same kind took is said, or that there are none.
"""

import statistics
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.identity import Actor
from apps.jobs.models import Attempt
from apps.jobs.states import JobState
from apps.organizations.services.quotas import gpu_hours_left
from apps.training.models import TrainingJob

# The newest that are looked at.
MOST_RUNS = 20
# Settings by which trainers say how long they go on.
LENGTHS = ("epochs", "steps")


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides how long a training holds GPUs, as far as it is known before."""

    organization_id: UUID
    resource_group_id: UUID
    trainer: str
    task: str
    model: str
    gpus: int
    config: dict[str, Any]
    dataset_id: UUID | None = None

    @classmethod
    def of(cls, training: TrainingJob) -> "Plan":
        job = training.job
        return cls(
            organization_id=job.organization_id,
            resource_group_id=job.resource_group_id,
            trainer=training.trainer,
            task=training.task,
            model=training.model,
            gpus=job.gpus,
            config=training.config,
            dataset_id=training.dataset_id,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """GPU hours that `runs` earlier trainings took: the fewest, the middle, the most. `same_dataset`: all of them were
    on the dataset of this one. `left` is what the organization has left this month, None where it has no limit."""

    gpus: int
    left: float | None
    runs: int = 0
    same_dataset: bool = False
    low: float | None = None
    likely: float | None = None
    high: float | None = None

    @property
    def is_known(self) -> bool:
        return self.likely is not None

    @property
    def is_tight(self) -> bool:
        """Whether it is likely to take more than is left. It may start all the same: what runs goes on to its end."""
        return self.left is not None and self.likely is not None and self.likely > self.left

    @property
    def is_refused(self) -> bool:
        """Whether nothing is left at all."""
        return self.gpus > 0 and self.left == 0

    @property
    def text(self) -> str:
        """What it is likely to take, in a sentence."""
        if self.gpus == 0:
            return _("It asks for no GPU and takes no GPU hours.")
        if self.likely is None:
            return _(
                "How many GPU hours it takes cannot be estimated: no earlier training of this model of the same length, "
                "with as many GPUs, has succeeded on this resource group."
            )
        facts = {"likely": _hours(self.likely), "low": _hours(self.low), "high": _hours(self.high), "count": self.runs}
        if self.same_dataset:
            return (
                ngettext(
                    "Likely %(likely)s GPU hours, as %(count)d earlier run on this dataset took.",
                    "Likely %(likely)s GPU hours: %(count)d earlier runs on this dataset took %(low)s to %(high)s.",
                    self.runs,
                )
                % facts
            )
        return (
            ngettext(
                "Likely %(likely)s GPU hours, as %(count)d earlier run took.",
                "Likely %(likely)s GPU hours: %(count)d earlier runs took %(low)s to %(high)s.",
                self.runs,
            )
            % facts
        )

    @property
    def left_text(self) -> str:
        """What the organization has left this month, in a sentence; "" where it has no limit."""
        if self.left is None or self.gpus == 0:
            return ""
        if self.left == 0:
            return _("The organization's GPU hours of this month are used: nothing that asks for GPUs starts.")
        return _("The organization has %(left)s GPU hours left this month.") % {"left": _hours(self.left)}


def forecast(actor: Actor, plan: Plan) -> Forecast:
    """From trainings that the actor may see; a handful of queries."""
    left = gpu_hours_left([plan.organization_id]).get(plan.organization_id)
    left = None if left is None else max(0.0, left)
    if plan.gpus == 0:
        return Forecast(plan.gpus, left)
    hours, same_dataset = _earlier(actor, plan)
    if not hours:
        return Forecast(plan.gpus, left)
    return Forecast(plan.gpus, left, len(hours), same_dataset, min(hours), statistics.median(hours), max(hours))


def _earlier(actor: Actor, plan: Plan) -> tuple[list[float], bool]:
    """GPU hours of each earlier training of the kind, and whether they are those of the same dataset."""
    rows = TrainingJob.objects.visible(actor).filter(
        job__organization_id=plan.organization_id,
        job__resource_group_id=plan.resource_group_id,
        job__state=JobState.SUCCEEDED,
        job__gpus=plan.gpus,
        trainer=plan.trainer,
        task=plan.task,
        model=plan.model,
    )
    rows = rows.filter(config__contains={name: plan.config[name] for name in LENGTHS if name in plan.config})
    found = rows.order_by("-job_id").values_list("pk", flat=True)
    if plan.dataset_id is not None and (same := list(found.filter(dataset_id=plan.dataset_id)[:MOST_RUNS])):
        return _held(same, plan.gpus), True
    return _held(list(found[:MOST_RUNS]), plan.gpus), False


def _held(jobs: list[UUID], gpus: int) -> list[float]:
    """What the attempts of each job held together."""
    held = Attempt.objects.filter(job_id__in=jobs, ended_at__isnull=False).values("job_id")
    times = held.annotate(time=Sum(F("ended_at") - F("claimed_at"))).order_by("job_id").values_list("time", flat=True)
    return [gpus * time.total_seconds() / 3600 for time in times]


def _hours(value: float | None) -> str:
    return f"{value or 0:.2g}" if (value or 0) < 100 else f"{value:.0f}"
