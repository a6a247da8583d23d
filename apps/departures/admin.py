import copy
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.core.admin import PolicyAdmin, ReadOnlyAdmin, each_row, search_select
from apps.core.identity.requests import PortalRequest
from apps.departures import services
from apps.departures.models import OrganizationDeletion, OrganizationExport, PersonErasure
from apps.organizations.models import Membership, Organization


@admin.register(OrganizationExport)
class OrganizationExportAdmin(ReadOnlyAdmin):
    """Asked for in the portal or over REST."""

    list_display = ("organization", "state", "requested_by", "row_count", "byte_count", "created_at", "expires_at")
    list_filter = ("state", "organization")
    list_select_related = ("organization", "requested_by")
    search_fields = ("organization__company", "organization__division")
    fields = readonly_fields = (
        "organization",
        "requested_by",
        "state",
        "failure",
        "part",
        "parts_done",
        "part_count",
        "row_count",
        "byte_count",
        "sha256",
        "attempt",
        "created_at",
        "finished_at",
        "expires_at",
    )


class DeletionAdminForm(forms.ModelForm):
    """Which organization, its name typed, and why."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(), label=_("organization"), widget=search_select(Membership, "organization")
    )
    name = forms.CharField(
        label=_("Name of the organization"),
        max_length=300,
        help_text=_("Typed as it is shown, to confirm."),
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = OrganizationDeletion
        fields = ("reason",)


@admin.register(OrganizationDeletion)
class OrganizationDeletionAdmin(PolicyAdmin):
    """A deletion is scheduled by adding it, and cancelled by the action."""

    form = DeletionAdminForm
    list_display = ("shown_organization", "state", "requested_by", "created_at", "due_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("requested_by",)
    search_fields = ("reason",)
    actions = ("cancel",)
    readonly_fields = (
        "shown_organization",
        "organization_id",
        "state",
        "requested_by",
        "created_at",
        "due_at",
        "begun_at",
        "ended_at",
        "removed",
    )
    fields = (*readonly_fields, "reason")

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("organization", "name", "reason")

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The ones that this person may schedule."""
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None:
            rows = Organization.objects.permitted(request.actor, "departures.add_organizationdeletion")
            field = form.base_fields["organization"] = copy.deepcopy(form.base_fields["organization"])
            field.queryset = rows.filter(closure="")
        return form

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_names()

    @admin.display(description=_("organization"))
    def shown_organization(self, deletion: Any) -> str:
        """Its name while it has one."""
        return " · ".join(filter(None, (deletion.company, deletion.division))) or str(deletion.organization_id)

    def has_add_permission(self, request: PortalRequest) -> bool:
        return Organization.objects.permitted(request.actor, "departures.add_organizationdeletion").exists()

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> OrganizationDeletion:
        return services.deletion_schedule(
            actor=request.actor,
            organization=form.cleaned_data["organization"],
            name=form.cleaned_data["name"],
            reason=form.cleaned_data["reason"],
        )

    @admin.action(description=_("Cancel the chosen deletions"))
    def cancel(self, request: PortalRequest, rows: QuerySet[OrganizationDeletion]) -> None:
        done = _("The deletion was cancelled. Everything is as it was.")
        each_row(request, rows, lambda row: services.deletion_cancel(actor=request.actor, deletion=row), done)


class ErasureForm(forms.ModelForm):
    person = forms.ModelChoiceField(User.objects.none(), label=_("person"), widget=search_select(Membership, "user"))

    class Meta:
        model = PersonErasure
        fields = ("reason",)


@admin.register(PersonErasure)
class PersonErasureAdmin(PolicyAdmin):
    """The register of deleted accounts; somebody is erased by adding a line. For platform administrators."""

    form = ErasureForm
    list_display = ("person_id", "erased_by", "reason", "created_at")
    list_select_related = ("erased_by",)
    readonly_fields = ("person_id", "erased_by", "created_at")
    fields = (*readonly_fields, "reason")

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("person", "reason")

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None:
            rows = User.objects.permitted(request.actor, "departures.add_personerasure").exclude(pk=request.user.pk)
            field = form.base_fields["person"] = copy.deepcopy(form.base_fields["person"])
            field.queryset = rows.order_by("email")
            field.label_from_instance = lambda user: f"{user.name} · {user.email}"
            form.base_fields["reason"].required = True
        return form

    def has_add_permission(self, request: PortalRequest) -> bool:
        return request.actor.is_platform_admin

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> PersonErasure:
        return services.person_erase(
            actor=request.actor, user=form.cleaned_data["person"], reason=form.cleaned_data["reason"]
        )
