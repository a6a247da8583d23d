from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core.admin import PolicyInline, TrashAdmin
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest
from apps.projects import services
from apps.projects.models import Project, ProjectMembership


class ProjectMembershipInline(PolicyInline):
    model = ProjectMembership
    fields = readonly_fields = ("user", "role", "created_at")


@admin.register(Project)
class ProjectAdmin(TrashAdmin):
    list_display = ("name", "organization", "created_by", "created_at")
    list_filter = ("organization", ("archived_at", EmptyFieldListFilter))
    actions = ("archive", "unarchive")
    list_select_related = ("organization", "created_by")
    search_fields = ("name", "description")
    readonly_fields = ("id", "archived_at", "created_by", "created_at", "updated_at", "version")
    fields = ("organization", "name", "description", *readonly_fields)
    inlines = (ProjectMembershipInline,)

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization") if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Project:
        fields = {name: form.cleaned_data[name] for name in ("name", "description")}
        if change:
            return services.project_change(actor=request.actor, project=obj, **fields)
        return services.project_create(actor=request.actor, organization=obj.organization, **fields)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.project_trash(actor=request.actor, project=obj)

    def restore_operation(self, request: PortalRequest, obj: Any) -> None:
        services.project_restore(actor=request.actor, project=obj)

    def purge_operation(self, request: PortalRequest, obj: Any, name: str) -> None:
        services.project_purge(actor=request.actor, project=obj, name=name)

    @admin.action(description=_("Archive"))
    def archive(self, request: PortalRequest, queryset: QuerySet[Project]) -> None:
        self._each(request, queryset, services.project_archive)

    @admin.action(description=_("Take out of the archive"))
    def unarchive(self, request: PortalRequest, queryset: QuerySet[Project]) -> None:
        self._each(request, queryset, services.project_unarchive)

    def _each(self, request: PortalRequest, rows: QuerySet[Project], operation: Any) -> None:
        for project in rows:
            try:
                operation(actor=request.actor, project=project)
            except DomainError as error:
                messages.error(request, f"{project}: {error.message} {error.hint}".strip())
