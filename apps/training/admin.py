from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.core.admin import ReadOnlyAdmin
from apps.training.models import Checkpoint, TrainingJob


@admin.register(TrainingJob)
class TrainingJobAdmin(ReadOnlyAdmin):
    list_display = ("job", "shown_state", "trainer", "task", "model", "dataset")
    list_filter = ("trainer", "task", "job__state", "job__organization")
    list_select_related = ("job", "dataset")
    search_fields = ("job__name", "job__id")
    fields = readonly_fields = (
        "job",
        "shown_state",
        "trainer",
        "task",
        "model",
        "config",
        "seed",
        "dataset",
        "snapshot",
        "start_from",
        "run",
    )

    @admin.display(description=_("state"))
    def shown_state(self, training: TrainingJob) -> Any:
        return training.job.get_state_display()


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "job", "step", "epoch", "size", "created_at")
    list_filter = ("kind", "trainer")
    list_select_related = ("job",)
    search_fields = ("name", "job__name", "sha256")
    fields = readonly_fields = (
        "name",
        "kind",
        "organization",
        "job",
        "attempt_no",
        "trainer",
        "task",
        "step",
        "epoch",
        "size",
        "sha256",
        "metrics",
        "created_at",
    )
