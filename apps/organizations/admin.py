from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.admin import PolicyAdmin, PolicyInline, with_reason
from apps.core.errors import DomainError
from apps.core.identity import Role
from apps.core.identity.requests import PortalRequest
from apps.organizations import services
from apps.organizations.forms import DomainsField
from apps.organizations.models import Membership, Organization
from apps.organizations.services.quotas import LIMITS


class MembershipInline(PolicyInline):
    model = Membership
    fields = readonly_fields = ("user", "role", "state", "created_at")


@admin.register(Organization)
class OrganizationAdmin(PolicyAdmin):
    list_display = ("company", "division", "require_mfa", *LIMITS, "created_at")
    list_filter = ("join_policy", "require_mfa")
    search_fields = ("company", "division")
    reasoned = LIMITS
    readonly_fields = ("shown_members", "id", "created_at", "updated_at", "version")
    fields = (
        "company",
        "division",
        "join_policy",
        "join_domains",
        "join_role",
        "require_mfa",
        *LIMITS,
        *readonly_fields,
    )
    inlines = (MembershipInline,)

    @admin.display(description=_("members"))
    def shown_members(self, organization: Organization) -> str:
        """Where all of them are listed, searched and filtered, and where many are invited at once."""
        listed = f"{reverse('admin:organizations_membership_changelist')}?organization__id__exact={organization.pk}"
        invite = f"{reverse('invitations:create')}?type=organization&id={organization.pk}"
        links = [(listed, _("All members")), (invite, _("Invite, also by CSV"))]
        return format_html_join(" · ", '<a class="text-link" href="{}">{}</a>', links)

    def has_add_permission(self, request: PortalRequest) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Organization:
        named = {name: form.cleaned_data[name] for name in form.changed_data if name not in LIMITS}
        limits = {name: form.cleaned_data[name] for name in form.changed_data if name in LIMITS}
        if limits:
            obj = services.quota_change(actor=request.actor, organization=obj, **limits)
        if named or not limits:
            obj = services.organization_change(actor=request.actor, organization=obj, **named)
        return obj

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Domains are read as in the portal."""
        if db_field.name != "join_domains":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        help_text = _("With the policy for domains: who joins at once. Public mail services are refused.")
        return DomainsField(
            label=capfirst(db_field.verbose_name),
            required=False,
            help_text=help_text,
            widget=UnfoldAdminTextInputWidget,
        )

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if request.actor.is_platform_admin else (*LIMITS, *self.readonly_fields)


@admin.register(Membership)
class MembershipAdmin(PolicyAdmin):
    list_display = ("user", "organization", "role", "state", "created_at")
    list_filter = ("role", "state", "organization")
    list_select_related = ("user", "organization")
    search_fields = ("user__name", "user__email", "organization__company")
    readonly_fields = ("state", "created_at")
    fields = ("organization", "user", "role", *readonly_fields)
    autocomplete_fields = ("organization", "user")
    reasoned = ("role",)

    actions = ("approve_members", "suspend_members", "reinstate_members")

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description=_("Approve the chosen members"))
    def approve_members(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.membership_approve)

    @admin.action(description=_("Suspend the chosen members"))
    @with_reason
    def suspend_members(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.membership_suspend)

    @admin.action(description=_("Reinstate the chosen members"))
    def reinstate_members(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.membership_reinstate)

    def _each(self, request: PortalRequest, rows: QuerySet[Any], service: Any) -> None:
        for membership in rows:
            try:
                service(actor=request.actor, membership=membership)
            except DomainError as error:
                messages.error(request, f"{membership}: {error.message}")
            else:
                messages.success(request, str(membership))

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return ("organization", "user", *self.readonly_fields) if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Membership:
        role = Role(form.cleaned_data["role"])
        if change:
            return services.membership_change_role(actor=request.actor, membership=obj, role=role)
        return services.membership_add(actor=request.actor, organization=obj.organization, user=obj.user, role=role)
