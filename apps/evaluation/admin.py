from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core.admin import PolicyInline, ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest
from apps.datasets.models import Task
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs.services.lifecycle import job_stop


class InferenceInputInline(PolicyInline):
    model = InferenceInput
    fields = readonly_fields = ("no", "name", "media_type", "width", "height", "size", "sha256")


@admin.register(InferenceJob)
class InferenceJobAdmin(ReadOnlyAdmin):
    list_display = ("job", "shown_state", "trainer", "shown_task", "shown_training", "shown_time")
    list_filter = ("trainer", "task", "job__state")
    list_select_related = ("job", "checkpoint__job")
    search_fields = ("job__name", "job__id", "checkpoint__job__name")
    fields = readonly_fields = ("job", "shown_state", "trainer", "shown_task", "checkpoint", "config", "result")
    inlines = (InferenceInputInline,)
    actions = ("stop_jobs",)

    @admin.display(description=_("state"))
    def shown_state(self, inference: InferenceJob) -> Any:
        return inference.job.get_state_display()

    @admin.display(description=_("task"), ordering="task")
    def shown_task(self, inference: InferenceJob) -> Any:
        return dict(Task.choices).get(inference.task, inference.task)

    @admin.display(description=_("training"))
    def shown_training(self, inference: InferenceJob) -> str:
        return str(inference.checkpoint.job)

    @admin.display(description=_("created"))
    def shown_time(self, inference: InferenceJob) -> Any:
        return inference.job.created_at

    @admin.action(description=_("Stop the chosen jobs"))
    def stop_jobs(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        for inference in rows:
            try:
                job_stop(actor=request.actor, job=inference.job)
            except DomainError as error:
                messages.error(request, f"{inference}: {error.message}")
            else:
                messages.success(request, str(inference))
