from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminEmailInputWidget

from apps.accounts.models import User
from apps.core.admin import PolicyAdmin, PolicyInline, ReasonForm, TrashAdmin, each_row, with_reason
from apps.core.identity.requests import PortalRequest
from apps.organizations.models import Membership
from apps.projects import services
from apps.projects.models import Project, ProjectMembership, ProjectRole


class TransferForm(ReasonForm):
    """Who owns the chosen projects from now on."""

    owner = forms.EmailField(
        label=_("New owner"),
        max_length=254,
        help_text=_("Address of a member of the organization. Who owned it stays as an editor."),
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )
    field_order = ("owner", "reason")

    def clean_owner(self) -> User:
        members = Membership.objects.visible(self.actor).active()
        members = members.filter(organization_id__in=[row.organization_id for row in self.rows])
        found = members.filter(user__email=self.cleaned_data["owner"].lower()).select_related("user").first()
        if found is None:
            raise forms.ValidationError(_("Choose an active member of the organization."))
        return found.user


class ProjectMembershipInline(PolicyInline):
    model = ProjectMembership
    fields = readonly_fields = ("user", "role", "created_at")


@admin.register(Project)
class ProjectAdmin(TrashAdmin):
    list_display = ("name", "organization", "created_by", "created_at")
    list_filter = ("organization", ("archived_at", EmptyFieldListFilter))
    actions = ("archive", "unarchive", "transfer")
    list_select_related = ("organization", "created_by")
    search_fields = ("name", "description")
    readonly_fields = ("shown_members", "id", "archived_at", "created_by", "created_at", "updated_at", "version")
    fields = ("organization", "name", "description", *readonly_fields)
    inlines = (ProjectMembershipInline,)

    @admin.display(description=_("members"))
    def shown_members(self, project: Project) -> str:
        """Where they are added, given another role, and taken out."""
        listed = f"{reverse('admin:projects_projectmembership_changelist')}?project__id__exact={project.pk}"
        return format_html('<a class="text-link" href="{}">{}</a>', listed, _("All members"))

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
        self._each(request, queryset, services.project_archive, _("Archived: %(name)s."))

    @admin.action(description=_("Take out of the archive"))
    def unarchive(self, request: PortalRequest, queryset: QuerySet[Project]) -> None:
        self._each(request, queryset, services.project_unarchive, _("Taken out of the archive: %(name)s."))

    @admin.action(description=_("Hand the chosen projects over"))
    @with_reason(form_class=TransferForm)
    def transfer(self, request: PortalRequest, queryset: QuerySet[Project], owner: User) -> None:
        self._each(request, queryset, partial(services.project_transfer, user=owner), _("Handed over: %(name)s."))

    def _each(self, request: PortalRequest, rows: QuerySet[Project], operation: Any, done: Any) -> None:
        each_row(request, rows, lambda project: operation(actor=request.actor, project=project), done)


@admin.register(ProjectMembership)
class ProjectMembershipAdmin(PolicyAdmin):
    """Members are added and given another role here; to delete one is to take them out of the project."""

    list_display = ("user", "project", "shown_organization", "role", "created_at")
    list_filter = ("role", "project", "project__organization")
    list_select_related = ("user", "project__organization")
    search_fields = ("user__name", "user__email", "project__name")
    readonly_fields = ("created_at",)
    fields = ("project", "user", "role", *readonly_fields)
    reasoned = ("role",)

    @admin.display(description=_("organization"), ordering="project__organization")
    def shown_organization(self, membership: ProjectMembership) -> str:
        return str(membership.project.organization)

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return ("project", "user", *self.readonly_fields) if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> ProjectMembership:
        role = ProjectRole(form.cleaned_data["role"])
        if change:
            return services.member_change(actor=request.actor, membership=obj, role=role)
        return services.member_add(actor=request.actor, project=obj.project, user=obj.user, role=role)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.member_remove(actor=request.actor, membership=obj)
