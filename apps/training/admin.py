from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.core.admin import ReadOnlyAdmin
from apps.core.templatetags.ui import format_bytes
from apps.datasets.models import Task
from apps.shares.admin import GroupShareAdmin, ShareAdmin
from apps.training.models import Checkpoint, TrainingJob, TrainingJobGroupShare, TrainingJobUserShare


@admin.register(TrainingJob)
class TrainingJobAdmin(ReadOnlyAdmin):
    list_display = ("job", "shown_state", "trainer", "shown_task", "model", "dataset")
    list_filter = ("trainer", "task", "job__state", "job__organization")
    list_select_related = ("job", "dataset")
    search_fields = ("job__name", "job__id")
    fields = readonly_fields = (
        "job",
        "shown_state",
        "trainer",
        "shown_task",
        "model",
        "config",
        "seed",
        "split",
        "dataset",
        "dataset_version",
        "snapshot",
        "start_from",
        "run",
    )

    @admin.display(description=_("state"))
    def shown_state(self, training: TrainingJob) -> Any:
        return training.job.get_state_display()

    @admin.display(description=_("task"), ordering="task")
    def shown_task(self, training: TrainingJob) -> Any:
        return dict(Task.choices).get(training.task, training.task)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "job", "step", "epoch", "shown_size", "created_at")
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
        "shown_size",
        "sha256",
        "metrics",
        "created_at",
    )

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, checkpoint: Checkpoint) -> str:
        return format_bytes(checkpoint.size)


@admin.register(TrainingJobUserShare)
class TrainingJobUserShareAdmin(ShareAdmin):
    list_select_related = ("content_object__job",)
    search_fields = ("content_object__job__name",)


@admin.register(TrainingJobGroupShare)
class TrainingJobGroupShareAdmin(GroupShareAdmin):
    list_select_related = ("content_object__job",)
    search_fields = ("content_object__job__name",)
