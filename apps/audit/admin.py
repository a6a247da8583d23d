from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("time", "label", "sentence", "entity_type", "via", "request_id")
    list_filter = ("action", "actor_kind", "via")
    search_fields = ("entity_id", "request_id", "action")
    fields = readonly_fields = (
        "time",
        "label",
        "sentence",
        "actor_role",
        "via",
        "request_id",
        "organization_id",
        "project_id",
        "entity_type",
        "entity_id",
        "shown_before",
        "shown_after",
    )

    @admin.display(description=_("sentence"))
    def sentence(self, event: AuditEvent) -> str:
        return readable([event])[0].sentence

    @admin.display(description=_("before"))
    def shown_before(self, event: AuditEvent) -> Any:
        return readable([event])[0].before

    @admin.display(description=_("after"))
    def shown_after(self, event: AuditEvent) -> Any:
        return readable([event])[0].after
