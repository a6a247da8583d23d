from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.views import ChangeList

from apps.audit import services
from apps.audit.models import AuditCheck, AuditEvent, AuditHead
from apps.audit.selectors import EventFilter, ReadableEvent, narrowed, readable
from apps.core.admin import PolicyAdmin, ReadOnlyAdmin, search_select
from apps.core.errors import DomainError
from apps.core.identity.actor import Via
from apps.core.identity.requests import PortalRequest
from apps.organizations.models import Membership, Organization

# Keys, seals and the sealer's list have no page: keys are nobody's to read, a seal is shown with its event, and the list
# is empty a few seconds after an event was written.

#: By which door somebody came in.
DOORS: dict[str, Any] = {
    Via.SESSION: _("pages"),
    Via.TOKEN: _("access token"),
    Via.KEY: _("API key"),
    Via.SOCKET: _("live connection"),
    Via.COMMAND: _("command line"),
    Via.SYSTEM: _("the portal itself"),
}


class ReadableChangeList(ChangeList):
    """Reads the whole page of events at once, so that its queries do not grow with its rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        actor = cast(PortalRequest, request).actor
        events: list[Any] = list(self.result_list)  # type: ignore[has-type]
        self.result_list = [row.event for row in _attached(events, actor)]


def _attached(events: list[AuditEvent], actor: Any) -> list[ReadableEvent]:
    found = readable(events, actor)
    for row in found:
        row.event.shown = row  # type: ignore[attr-defined]  # for this page alone
    return found


def _shown(event: AuditEvent) -> ReadableEvent:
    return cast(ReadableEvent, getattr(event, "shown", None) or readable([event])[0])


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    # The log has exports of its own, with seals, which the verifier checks.
    exportable = False
    list_display = ("time", "shown_action", "sentence", "shown_door")
    list_filter = ("actor_kind", "via")
    search_fields = ("action",)
    search_help_text = _(
        "Beginnings of words of names and values, of a person's name, or of the action; or a whole id."
    )
    actions = ("verify_chains",)
    fields = readonly_fields = (
        "time",
        "shown_action",
        "sentence",
        "shown_because",
        "actor_role",
        "shown_door",
        "request_id",
        "organization_id",
        "project_id",
        "entity_type",
        "entity_id",
        "shown_before",
        "shown_after",
        "shown_about",
        "seal_number",
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadableChangeList

    def get_search_results(
        self, request: PortalRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found = EventFilter(text=search_term.replace("\0", "")[:200])
        return narrowed(queryset, request.actor, None, found), False  # type: ignore[arg-type]

    def get_object(self, request: PortalRequest, object_id: str, from_field: str | None = None) -> AuditEvent | None:
        event = cast(AuditEvent | None, super().get_object(request, object_id, from_field))
        return _attached([event], request.actor)[0].event if event is not None else None

    @admin.display(description=_("action"), ordering="action")
    def shown_action(self, event: AuditEvent) -> Any:
        return event.label

    @admin.display(description=_("door"), ordering="via")
    def shown_door(self, event: AuditEvent) -> Any:
        return DOORS.get(event.via, event.via)

    @admin.display(description=_("sentence"))
    def sentence(self, event: AuditEvent) -> str:
        return _shown(event).sentence

    @admin.display(description=_("reason"))
    def shown_because(self, event: AuditEvent) -> Any:
        return _shown(event).params.get("because", "–")

    @admin.display(description=_("before"))
    def shown_before(self, event: AuditEvent) -> Any:
        return _shown(event).before

    @admin.display(description=_("after"))
    def shown_after(self, event: AuditEvent) -> Any:
        return _shown(event).after

    @admin.display(description=_("further objects"))
    def shown_about(self, event: AuditEvent) -> str:
        return ", ".join(item["name"] or item["id"] for item in _shown(event).about)

    @admin.display(description=_("seal"))
    def seal_number(self, event: AuditEvent) -> str:
        seal = getattr(event, "seal", None)
        return f"{seal.seq} · {seal.hash}" if seal else ""

    @admin.action(description=_("Verify the logs of the selected events"))
    def verify_chains(self, request: PortalRequest, queryset: QuerySet[Any]) -> HttpResponseRedirect:
        """One verification for each organization among them."""
        chains = queryset.order_by().values_list("organization_id", flat=True).distinct()
        for chain in chains:
            try:
                services.check_request(actor=request.actor, chain=chain or services.PLATFORM)
                messages.success(request, _("The log is being verified; the result is shown here."))
            except DomainError as error:
                messages.error(request, f"{error.message} {error.hint}".strip())
        return HttpResponseRedirect(reverse("admin:audit_auditcheck_changelist"))


class CheckForm(forms.ModelForm):
    """Which log is to be verified; empty: the platform's own."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(),
        label=_("organization"),
        required=False,
        widget=search_select(Membership, "organization"),
    )

    class Meta:
        model = AuditCheck
        fields: tuple[str, ...] = ()


@admin.register(AuditCheck)
class AuditCheckAdmin(PolicyAdmin):
    """Results are written by workers; a new one is asked for by adding it."""

    form = CheckForm
    list_display = ("requested_at", "chain", "state", "events", "is_intact", "is_complete", "finished_at")
    list_filter = ("is_intact", "is_complete")
    readonly_fields = (
        "chain",
        "state",
        "requested_at",
        "started_at",
        "finished_at",
        "events",
        "unsealed",
        "heads",
        "is_intact",
        "is_complete",
        "findings",
    )

    def has_add_permission(self, request: PortalRequest) -> bool:
        return request.actor.is_platform_admin or self._organizations(request).exists()

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("organization",) if obj is None else self.readonly_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.readonly_fields

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "organization" in form.base_fields:
            field: Any = form.base_fields["organization"]
            field.queryset = self._organizations(request)
            field.required = not request.actor.is_platform_admin
        return form

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> AuditCheck:
        organization = form.cleaned_data["organization"]
        chain = organization.pk if organization else services.PLATFORM
        return services.check_request(actor=request.actor, chain=chain)

    @admin.display(description=_("state"))
    def state(self, check: AuditCheck) -> Any:
        return check.state_label

    @staticmethod
    def _organizations(request: PortalRequest) -> QuerySet[Organization]:
        return Organization.objects.permitted(request.actor, "audit.follow_organization")


@admin.register(AuditHead)
class AuditHeadAdmin(ReadOnlyAdmin):
    list_display = ("time", "chain", "seq", "hash")
    fields = readonly_fields = ("time", "chain", "seq", "hash", "public_key", "signature")
