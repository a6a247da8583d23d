from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.core import policy
from apps.core.admin import PolicyAdmin, PolicyInline, ReasonForm, with_reason
from apps.core.errors import DomainError
from apps.core.identity import Actor, Role
from apps.core.identity.requests import PortalRequest
from apps.organizations import services
from apps.organizations.forms import DomainsField
from apps.organizations.models import Membership, Organization
from apps.organizations.services.handing_over import belongings_of
from apps.organizations.services.quotas import LIMITS


class RemovalForm(ReasonForm):
    """Who takes over what the chosen people alone answer for, where there is such a thing."""

    heir = forms.EmailField(
        label=_("Successor"),
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Name a member who takes it over.")},
    )
    field_order = ("heir", "reason")

    def __init__(self, data: Any = None, *, actor: Actor, rows: Any) -> None:
        super().__init__(data, actor=actor, rows=rows)
        theirs = [row for row in rows if policy.allows(actor, "organizations.delete_membership", row)]
        names = [name for membership in theirs for name in belongings_of(membership)]
        if names:
            self.fields["heir"].help_text = _("Address of a member who takes over: %(what)s.") % {
                "what": Truncator(", ".join(names)).chars(300)
            }
        else:
            del self.fields["heir"]

    def clean_heir(self) -> User:
        members = Membership.objects.visible(self.actor).active()
        members = members.filter(organization_id__in=[row.organization_id for row in self.rows])
        found = members.filter(user__email=self.cleaned_data["heir"].lower()).select_related("user").first()
        if found is None:
            raise forms.ValidationError(_("Choose an active member of the organization."))
        return found.user


class FoundingForm(forms.ModelForm):
    """A new organization, whose administrator has an account already."""

    administrator = forms.EmailField(
        label=_("Administrator"),
        max_length=254,
        help_text=_("Address of an account; its owner administers the organization and invites the others."),
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )

    #: Who founds it; set on the class that the page makes of this one.
    actor: Actor

    class Meta:
        model = Organization
        fields = ("company", "division")

    def clean_administrator(self) -> User:
        people = User.objects.visible(self.actor).filter(is_active=True)
        found = people.filter(email=self.cleaned_data["administrator"].lower()).first()
        if found is None:
            raise forms.ValidationError(_("No account has this address."))
        return found


class MembershipInline(PolicyInline):
    model = Membership
    fields = readonly_fields = ("user", "role", "state", "created_at")


@admin.register(Organization)
class OrganizationAdmin(PolicyAdmin):
    list_display = ("company", "division", "require_mfa", *LIMITS, "created_at")
    list_filter = ("join_policy", "require_mfa", "allows_public")
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
        "allows_public",
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
        return request.actor.is_platform_admin

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": FoundingForm, "fields": ("company", "division")}
        form = super().get_form(request, obj, change, **kwargs)
        form.actor = request.actor
        return form

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        return ("company", "division", "administrator") if obj is None else super().get_fields(request, obj)

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Organization:
        if not change:
            given = form.cleaned_data
            return services.organization_create(
                actor=request.actor,
                company=given["company"],
                division=given["division"],
                admin=given["administrator"],
            )
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
    reasoned = ("role",)

    actions = ("approve_members", "suspend_members", "reinstate_members", "remove_members")

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

    @admin.action(description=_("Remove the chosen members"))
    @with_reason(form_class=RemovalForm)
    def remove_members(self, request: PortalRequest, rows: QuerySet[Any], heir: User | None = None) -> None:
        self._each(request, rows, partial(services.membership_remove, heir=heir))

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
