from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.core.admin import PolicyAdmin, each_row, search_select
from apps.core.identity import Actor, Role
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors
from apps.invitations import services
from apps.invitations.forms import AddressFile
from apps.invitations.models import MESSAGE, MESSAGE_CHARACTERS, Invitation
from apps.invitations.selectors import described
from apps.invitations.targets import Target, target_named, targets


def _target_search(target: Target) -> AutocompleteSelect:
    """Looks for what people can be invited to, by any reference that some table has to it: those above are not known
    here by name."""
    found = next(found.field for found in target.model._meta.related_objects if found.field.many_to_one)
    return search_select(found.model, found.name)


def _open_to(actor: Actor, target: Target) -> QuerySet[Any]:
    """What of this kind the actor may invite to."""
    rows: Any = target.model._default_manager
    return cast(QuerySet[Any], rows.permitted(actor, target.permission))


class TargetFields(forms.Form):
    """To what people are invited, of every registered kind, and the role there: of one kind, so that of the others
    nothing may be chosen. Cleaned to `target` and `role`."""

    role = forms.ChoiceField(
        label=_("Role"), initial=f"organization:{Role.ENGINEER_I}", widget=UnfoldAdminSelectWidget
    )
    message = forms.CharField(
        label=_("Message"),
        max_length=MESSAGE_CHARACTERS,
        required=False,
        validators=[MESSAGE],
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    #: Who invites; set on the class that a page makes of this one.
    actor: Actor

    @classmethod
    def target_names(cls) -> tuple[str, ...]:
        """Of the fields. Unfold takes a posted `dataset` for something else."""
        return tuple(f"to_{target.name}" for target in targets())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for target in targets():
            self.fields[f"to_{target.name}"] = forms.ModelChoiceField(
                _open_to(self.actor, target),
                label=target.label,
                required=False,
                widget=_target_search(target),
            )
        role: Any = self.fields["role"]
        role.choices = [
            (target.label, [(f"{target.name}:{value}", label) for value, label in target.roles])
            for target in targets()
        ]
        self.order_fields((*self.target_names(), "email", "file", "role", "message"))

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        kind, _colon, role = cleaned.get("role", "").partition(":")
        wanted = f"to_{kind}"
        for name in self.target_names() if kind else ():
            chosen = cleaned.pop(name, None)
            if name != wanted and chosen is not None:
                self.add_error(name, _("The role is in something else; leave this empty."))
            elif name == wanted and chosen is None and name not in self.errors:
                self.add_error(name, _("Choose what the role is in."))
            elif name == wanted:
                cleaned["target"] = chosen
        return cleaned | {"role": role}


class ImportForm(TargetFields):
    """Many people at once, from a file."""

    file = AddressFile(widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}))


class InvitingForm(TargetFields, forms.ModelForm):
    """One address."""

    class Meta:
        model = Invitation
        fields = ("email",)


@admin.register(Invitation)
class InvitationAdmin(PolicyAdmin):
    """Invites to whatever people can be invited to; what was sent is sent again or withdrawn by actions, never edited
    or removed."""

    list_display = ("email", "organization", "shown_target", "shown_role", "shown_state", "expires_at")
    list_filter = ("state", "target_type", "organization")
    list_select_related = ("organization",)
    search_fields = ("email",)
    actions = ("send_again", "withdraw")
    actions_list = ("invite_from_file",)
    sent_fields = (
        "shown_target",
        "shown_name",
        "target_id",
        "state",
        "sendings",
        "sent_at",
        "answered_at",
        "invited_by",
        "accepted_by",
    )
    fields = readonly_fields = ("organization", "email", "shown_role", "message", "expires_at", *sent_fields)

    @admin.display(description=_("invited to"))
    def shown_target(self, invitation: Invitation) -> str:
        return str(target_named(invitation.target_type).label)

    @admin.display(description=_("name"))
    def shown_name(self, invitation: Invitation) -> str:
        """Of what it is for; "" when that is gone."""
        return described([invitation])[0].target_name

    @admin.display(description=_("role"))
    def shown_role(self, invitation: Invitation) -> str:
        return target_named(invitation.target_type).role_label(invitation.role)

    @admin.display(description=_("state"))
    def shown_state(self, invitation: Invitation) -> str:
        return invitation.state_label

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        return self.fields if obj else (*TargetFields.target_names(), "email", "role", "message")

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else ()

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": InvitingForm, "fields": ("email",)}
        form = super().get_form(request, obj, change, **kwargs)
        form.actor = request.actor
        return form

    def has_add_permission(self, request: PortalRequest) -> bool:
        """Whoever may invite to anything."""
        actor = request.actor
        return actor.is_platform_admin or any(_open_to(actor, target).exists() for target in targets())

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Invitation | None:
        given = {name: form.cleaned_data[name] for name in ("target", "email", "role", "message")}
        return services.invitation_create(actor=request.actor, **given).invitation

    def response_add(self, request: PortalRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """A member of the organization joins at once: there is no invitation then that the answer could lead to."""
        if self.get_queryset(request).filter(pk=obj.pk).exists():
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, _("The member joined at once."))
        return redirect(request.path) if "_addanother" in request.POST else self.response_post_save_add(request, obj)

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
        form = type("ActorsImportForm", (ImportForm,), {"actor": request.actor})(*posted)
        lines = None
        if form.is_valid():
            given = form.cleaned_data
            with form_errors(form):
                lines = services.invitations_create(
                    actor=request.actor,
                    target=given["target"],
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
