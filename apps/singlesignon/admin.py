from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from apps.core.admin import PolicyAdmin
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest
from apps.singlesignon import services
from apps.singlesignon.forms import SEPARATORS
from apps.singlesignon.models import Connection
from apps.singlesignon.selectors import return_address
from apps.singlesignon.services.connections import FIELDS


class ConnectionForm(forms.ModelForm):
    """With the domains as one text, and a secret that is taken and never shown."""

    new_secret = forms.CharField(
        label=_("Client secret"),
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Leave it empty to keep the one that is stored."),
    )
    domain_names = forms.CharField(
        label=_("Domains of e-mail addresses"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["domain_names"] = "\n".join(row.name for row in self.instance.domains.all())

    def given(self) -> dict[str, Any]:
        """The fields as the services take them."""
        found = {name: self.cleaned_data[name] for name in FIELDS}
        found["domains"] = [name for name in SEPARATORS.split(self.cleaned_data["domain_names"]) if name]
        return found | {"client_secret": self.cleaned_data["new_secret"]}


@admin.register(Connection)
class ConnectionAdmin(PolicyAdmin):
    form = ConnectionForm
    list_display = ("short_name", "organization", "issuer", "shown_domains", "is_enabled", "created_at")
    list_filter = ("is_enabled", "organization")
    list_select_related = ("organization",)
    search_fields = ("short_name", "issuer", "organization__company", "domains__name")
    readonly_fields = ("created_at", "updated_at", "version")
    fields = (
        "organization",
        "short_name",
        "issuer",
        "client_id",
        "new_secret",
        "domain_names",
        "role",
        "admission",
        "is_enabled",
        *readonly_fields,
    )
    actions = ("try_connections",)

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("domains")

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization") if obj else self.readonly_fields

    @admin.display(description=_("domains"))
    def shown_domains(self, connection: Connection) -> str:
        return ", ".join(row.name for row in connection.domains.all()) or "–"

    @admin.action(description=_("Try the chosen connections"))
    def try_connections(self, request: PortalRequest, rows: QuerySet[Connection]) -> None:
        for connection in rows:
            address = return_address(connection, request)
            try:
                check = services.connection_test(actor=request.actor, connection=connection, return_address=address)
            except DomainError as error:
                messages.error(request, f"{connection}: {error.message}")
                continue
            if check.works:
                messages.success(request, _("%(name)s: the provider answers.") % {"name": connection})
            else:
                messages.error(request, f"{connection}: {check.detail} {check.hint}".strip())

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Connection:
        given = form.given()
        if change:
            return services.connection_change(actor=request.actor, connection=obj, **given)
        return services.connection_create(actor=request.actor, organization=obj.organization, **given)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.connection_remove(actor=request.actor, connection=obj)
