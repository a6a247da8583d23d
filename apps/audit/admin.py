from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.views import ChangeList

from apps.audit.models import AuditEvent
from apps.audit.selectors import ReadableEvent, readable
from apps.core.admin import ReadOnlyAdmin
from apps.core.identity.actor import Via
from apps.core.identity.requests import PortalRequest

#: By which door somebody came in.
DOORS: dict[str, Any] = {
    Via.SESSION: _("pages"),
    Via.TOKEN: _("access token"),
    Via.KEY: _("API key"),
    Via.SOCKET: _("live connection"),
    Via.COMMAND: _("command line"),
    Via.SYSTEM: _("the portal itself"),
}


class ReadableEvents(ChangeList):
    """A page of events, made readable together: the keys of all its people are one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        events: list[Any] = list(self.result_list)  # type: ignore[has-type]
        for event, found in zip(events, readable(events), strict=True):
            event.readable = found
        self.result_list = events


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("time", "shown_action", "sentence", "shown_door")
    list_filter = ("action", "actor_kind", "via")
    search_fields = ("entity_id", "request_id", "action")
    fields = readonly_fields = (
        "time",
        "shown_action",
        "sentence",
        "actor_role",
        "shown_door",
        "request_id",
        "organization_id",
        "project_id",
        "entity_type",
        "entity_id",
        "shown_before",
        "shown_after",
    )

    def get_changelist(self, request: PortalRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadableEvents

    @admin.display(description=_("action"), ordering="action")
    def shown_action(self, event: AuditEvent) -> Any:
        return event.label

    @admin.display(description=_("door"), ordering="via")
    def shown_door(self, event: AuditEvent) -> Any:
        return DOORS.get(event.via, event.via)

    @admin.display(description=_("sentence"))
    def sentence(self, event: AuditEvent) -> str:
        return self._readable(event).sentence

    @admin.display(description=_("before"))
    def shown_before(self, event: AuditEvent) -> Any:
        return self._readable(event).before

    @admin.display(description=_("after"))
    def shown_after(self, event: AuditEvent) -> Any:
        return self._readable(event).after

    def _readable(self, event: AuditEvent) -> ReadableEvent:
        return getattr(event, "readable", None) or readable([event])[0]
