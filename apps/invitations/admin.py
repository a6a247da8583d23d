from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.core.admin import PolicyAdmin, each_row, search_select
from apps.core.identity import Role
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors
from apps.invitations import services
from apps.invitations.forms import AddressFile
from apps.invitations.models import MESSAGE, MESSAGE_CHARACTERS, Invitation
from apps.invitations.targets import target_named
from apps.organizations.models import Organization


class ImportForm(forms.Form):
    """Many people of one organization, from a file."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(),
        label=capfirst(Invitation._meta.get_field("organization").verbose_name),
        widget=search_select(Invitation, "organization"),
    )
    file = AddressFile(widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}))
    role = forms.ChoiceField(
        label=_("Role"), choices=Role.choices, initial=Role.ENGINEER_I, widget=UnfoldAdminSelectWidget
    )
    message = forms.CharField(
        label=_("Message"),
        max_length=MESSAGE_CHARACTERS,
        required=False,
        validators=[MESSAGE],
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, request: PortalRequest) -> None:
        super().__init__(*args)
        field: Any = self.fields["organization"]
        field.queryset = Organization.objects.visible(request.actor)


@admin.register(Invitation)
class InvitationAdmin(PolicyAdmin):
    """Invites to an organization; what was sent is sent again or withdrawn by actions, never edited or removed."""

    list_display = ("email", "organization", "shown_target", "shown_role", "shown_state", "expires_at")
    list_filter = ("state", "target_type", "organization")
    list_select_related = ("organization",)
    search_fields = ("email",)
    actions = ("send_again", "withdraw")
    actions_list = ("invite_from_file",)
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
            return forms.ChoiceField(
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

    @action(description=_("Invite from a file"), url_path="from-file", permissions=["add"], icon="upload_file")
    def invite_from_file(self, request: PortalRequest) -> TemplateResponse:
        """Invites the people of a file, and shows what became of each line."""
        posted = (request.POST, request.FILES) if request.method == "POST" else ()
        form = ImportForm(*posted, request=request)
        lines = None
        if form.is_valid():
            given = form.cleaned_data
            with form_errors(form):
                lines = services.invitations_create(
                    actor=request.actor,
                    target=given["organization"],
                    text=given["file"],
                    role=given["role"],
                    message=given["message"],
                )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Invite from a file"),
            "opts": self.opts,
            "form": form,
            "lines": lines,
            "media": self.media + form.media,
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/invite_from_file.html", context, status=status)
