from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.apikeys import services
from apps.apikeys.models import ApiKey, ApiKeySecret, EndpointUsage, KeyState
from apps.core.admin import PolicyInline, ReadOnlyAdmin, with_reason
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return list(KeyState.choices)

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.in_state(self.value() or "")


class ApiKeySecretInline(PolicyInline):
    """How each begins; the digest stays where it is."""

    model = ApiKeySecret
    fields = readonly_fields = ("shown", "created_at", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made by their owners in the portal or over REST; here they are looked at and revoked."""

    list_display = ("name", "owner", "organization", "shown_state", "last_used_at", "expires_at", "created_at")
    list_filter = (StateFilter, "organization", "owner")
    list_select_related = ("owner", "organization")
    search_fields = ("name", "owner__name", "owner__email", "secrets__shown")
    fields = readonly_fields = (
        "name",
        "owner",
        "organization",
        "shown_state",
        "scopes",
        "limited_to_projects",
        "shown_projects",
        "calls_per_minute",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "revoked_by",
        "created_at",
    )
    inlines = (ApiKeySecretInline,)
    actions = ("revoke",)

    @admin.display(description=_("state"))
    def shown_state(self, key: ApiKey) -> Any:
        return key.state_label

    @admin.display(description=_("projects"))
    def shown_projects(self, key: ApiKey) -> str:
        return ", ".join(project.name for project in key.projects.all()) or "–"

    @admin.action(description=_("Revoke the chosen API keys"))
    @with_reason
    def revoke(self, request: PortalRequest, rows: QuerySet[ApiKey]) -> None:
        """Each by the operation, which asks whether this person may."""
        revoked = 0
        for key in rows:
            try:
                services.key_revoke(actor=request.actor, key=key)
                revoked += 1
            except DomainError as error:
                messages.error(request, f"{key}: {error.message} {error.hint}".strip())
        if revoked:
            told = ngettext("%(count)d API key was revoked.", "%(count)d API keys were revoked.", revoked)
            messages.success(request, told % {"count": revoked})


@admin.register(EndpointUsage)
class EndpointUsageAdmin(ReadOnlyAdmin):
    list_display = ("hour", "endpoint", "key", "organization", "calls", "client_errors", "server_errors")
    list_filter = ("organization", "key")
    list_select_related = ("key", "organization")
    search_fields = ("endpoint", "key__name")
    ordering = ("-hour",)
    fields = readonly_fields = ("hour", "endpoint", "key", "organization", "calls", "client_errors", "server_errors")
