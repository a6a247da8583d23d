from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import RefreshToken, User
from apps.accounts.selectors import client_of, sign_ins_of
from apps.accounts.services import (
    PROFILE_FIELDS,
    profile_update,
    sessions_end_all,
    sign_in_end,
    user_deactivate,
    user_reactivate,
)
from apps.core.admin import PolicyAdmin, PolicyInline, ReadOnlyAdmin, with_reason
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest


class RefreshTokenInline(PolicyInline):
    model = RefreshToken
    fields = readonly_fields = ("created_at", "ip", "user_agent", "expires_at", "used_at", "revoked_at")


def end_sign_ins(request: PortalRequest, chosen: Iterable[tuple[User, str]]) -> None:
    """Ends sign-ins of people, each named by its id, and says of each what became of it."""
    for user, pk in chosen:
        found = sign_ins_of(user, session_key=request.session.session_key, at_most=None)
        sign_in = next((row for row in found if row.id == pk), None)
        if sign_in is None:
            messages.warning(request, _("A sign-in of %(name)s had ended already.") % {"name": user})
        elif sign_in.is_current:
            messages.error(request, _("This is where you are yourself: sign out instead."))
        else:
            try:
                sign_in_end(actor=request.actor, user=user, sign_in=sign_in)
            except DomainError as error:
                messages.error(request, f"{user}: {error.message} {error.hint}".strip())
            else:
                messages.success(request, _("A sign-in of %(name)s was ended.") % {"name": user})


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyAdmin):
    """Programs that are signed in: the live token of each."""

    list_display = ("user", "shown_program", "ip", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "user_agent", "ip")
    fields = readonly_fields = ("user", "user_agent", "ip", "created_at", "expires_at")
    actions = ("end_programs",)

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return cast(QuerySet[Any], rows.live())

    @admin.display(description=_("program"), ordering="user_agent")
    def shown_program(self, token: RefreshToken) -> str:
        return client_of(token.user_agent)

    @admin.action(description=_("End the chosen sign-ins"))
    @with_reason
    def end_programs(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        end_sign_ins(request, [(token.user, str(token.family)) for token in rows])


@admin.register(User)
class UserAdmin(PolicyAdmin):
    list_display = ("name", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("name", "email")
    ordering = ("email",)
    readonly_fields = ("id", "email", "is_active", "is_staff", "is_superuser", "last_login", "created_at")
    fields = (*PROFILE_FIELDS, *readonly_fields)
    inlines = (RefreshTokenInline,)
    actions = ("end_sessions", "deactivate", "reactivate")

    @admin.action(description=_("Sign the chosen people out everywhere"))
    @with_reason
    def end_sessions(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, sessions_end_all, _("%(name)s is signed out everywhere."))

    @admin.action(description=_("Disable the chosen accounts"))
    @with_reason
    def deactivate(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, user_deactivate, _("The account of %(name)s is disabled."))

    @admin.action(description=_("Enable the chosen accounts"))
    @with_reason
    def reactivate(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, user_reactivate, _("The account of %(name)s is enabled."))

    def get_actions(self, request: PortalRequest) -> Any:
        """Accounts belong to the installation: an organization's own staff suspends memberships."""
        found = super().get_actions(request)
        if not request.actor.is_platform_admin:
            for name in self.actions:
                found.pop(name, None)
        return found

    def _each(self, request: PortalRequest, rows: QuerySet[Any], operation: Any, done: Any) -> None:
        for user in rows:
            try:
                operation(actor=request.actor, user=user)
            except DomainError as error:
                messages.error(request, f"{user}: {error.message} {error.hint}".strip())
            else:
                messages.success(request, done % {"name": user})

    def has_add_permission(self, request: PortalRequest) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> User:
        return profile_update(
            actor=request.actor, user=obj, **{name: form.cleaned_data[name] for name in PROFILE_FIELDS}
        )
