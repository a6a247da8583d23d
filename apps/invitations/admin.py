from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ChoiceField
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.admin import PolicyAdmin, each_row
from apps.core.identity import Role
from apps.core.identity.requests import PortalRequest
from apps.invitations import services
from apps.invitations.models import Invitation
from apps.invitations.targets import target_named


@admin.register(Invitation)
class InvitationAdmin(PolicyAdmin):
    """Invites to an organization; what was sent is sent again or withdrawn by actions, never edited or removed."""

    list_display = ("email", "organization", "shown_target", "shown_role", "shown_state", "expires_at")
    list_filter = ("state", "target_type", "organization")
    list_select_related = ("organization",)
    search_fields = ("email",)
    actions = ("send_again", "withdraw")
    sent_fields = (
        "shown_target",
        "target_id",
        "state",
        "sendings",
        "sent_at",
        "answered_at",
        "invited_by",
        "accepted_by",
    )
    fields = ("organization", "email", "role", "message", "expires_at", *sent_fields)
    readonly_fields = ("expires_at", *sent_fields)

    @admin.display(description=_("invited to"))
    def shown_target(self, invitation: Invitation) -> str:
        return str(target_named(invitation.target_type).label)

    @admin.display(description=_("role"))
    def shown_role(self, invitation: Invitation) -> str:
        return target_named(invitation.target_type).role_label(invitation.role)

    @admin.display(description=_("state"))
    def shown_state(self, invitation: Invitation) -> str:
        return invitation.state_label

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("organization", "email", "role", "message")

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "role":
            return ChoiceField(
                label=capfirst(db_field.verbose_name), choices=Role.choices, widget=UnfoldAdminSelectWidget
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Invitation | None:
        fields = {name: form.cleaned_data[name] for name in ("email", "role", "message")}
        found = services.invitation_create(actor=request.actor, target=obj.organization, **fields)
        return found.invitation

    @admin.action(description=_("Send again"))
    def send_again(self, request: PortalRequest, queryset: QuerySet[Invitation]) -> None:
        done = _("A new mail is on its way; the old link is dead.")
        each_row(request, queryset, lambda row: services.invitation_resend(actor=request.actor, invitation=row), done)

    @admin.action(description=_("Withdraw"))
    def withdraw(self, request: PortalRequest, queryset: QuerySet[Invitation]) -> None:
        done = _("The invitation was withdrawn.")
        each_row(request, queryset, lambda row: services.invitation_cancel(actor=request.actor, invitation=row), done)
