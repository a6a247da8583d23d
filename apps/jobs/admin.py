from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core.admin import PolicyInline, ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest
from apps.jobs.models import Attempt, Job, JobArtifact
from apps.jobs.services import lifecycle

#: Kind of job → what it is for.
KINDS = {"training": _("training"), "inference": _("quick test")}


class AttemptInline(PolicyInline):
    model = Attempt
    fields = readonly_fields = ("no", "state", "node", "claimed_at", "ended_at", "exit_code", "end_reason")


class JobArtifactInline(PolicyInline):
    model = JobArtifact
    fields = readonly_fields = ("name", "kind", "media_type", "size", "attempt_no")


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "shown_kind",
        "state",
        "project",
        "organization",
        "shown_progress",
        "created_at",
        "finished_at",
    )
    list_filter = ("state", "kind", "organization", "resource_group")
    list_select_related = ("project", "organization")
    search_fields = ("name", "id")
    fields = readonly_fields = (
        "name",
        "shown_kind",
        "organization",
        "project",
        "created_by",
        "state",
        "shown_reason",
        "shown_progress",
        "priority",
        "resource_group",
        "cpus",
        "memory_mb",
        "gpus",
        "restarts",
        "created_at",
        "queued_at",
        "started_at",
        "finished_at",
    )
    inlines = (AttemptInline, JobArtifactInline)
    actions = ("stop_jobs", "resume_jobs")

    @admin.display(description=_("kind"), ordering="kind")
    def shown_kind(self, job: Job) -> Any:
        return KINDS.get(job.kind, job.kind)

    @admin.display(description=_("reason"))
    def shown_reason(self, job: Job) -> str:
        return (job.reason or {}).get("text", "")

    @admin.display(description=_("progress"))
    def shown_progress(self, job: Job) -> str:
        return f"{job.progress:.0%}" if job.progress is not None else ""

    @admin.action(description=_("Stop the chosen jobs"))
    def stop_jobs(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, lifecycle.job_stop)

    @admin.action(description=_("Resume the chosen jobs"))
    def resume_jobs(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, lifecycle.job_resume)

    def _each(self, request: PortalRequest, rows: QuerySet[Any], service: Any) -> None:
        for job in rows:
            try:
                service(actor=request.actor, job=job)
            except DomainError as error:
                messages.error(request, f"{job}: {error.message}")
            else:
                messages.success(request, str(job))
