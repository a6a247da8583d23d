"""What the site adds to the admin: one door, and tables of the libraries and of the core, in the admin's look and
read-only.

The admin has no sign-in of its own, which would ask for no second factor, and changes no password by itself, which
would end no token: both lead to the portal's pages.

Nothing here has an operation behind it, so nothing can be changed here. The libraries' own admin modules are imported
first, so that theirs are replaced and not met again when Django discovers them.
"""

import importlib
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from apps.accounts.admin import end_sign_ins
from apps.accounts.models import User
from apps.accounts.selectors import client_of
from apps.core.admin import ReadOnlyAdmin, with_reason
from apps.core.identity.requests import PortalRequest
from apps.core.outbox.models import OutboxMessage

for _library in (
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "django.contrib.auth",
    "django_celery_beat",
):
    importlib.import_module(f"{_library}.admin")

# allauth names these in English only. The state of migrations reads what the class itself declares, so it stays as it is.
for _model, _one, _many in (
    (UserSession, _("session"), _("sessions")),
    (Authenticator, _("second factor"), _("second factors")),
):
    _model._meta.verbose_name, _model._meta.verbose_name_plural = _one, _many

# Of single sign-on: connections stand in its own admin, and the libraries' tables hold no token and no claim.
SINGLE_SIGN_ON = (SocialAccount, SocialApp, SocialToken)
SCHEDULES = (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)
for _model in (EmailAddress, Authenticator, UserSession, Group, PeriodicTask, *SINGLE_SIGN_ON, *SCHEDULES):
    admin.site.unregister(_model)


def _sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """To the portal's sign-in, or, for staff who are signed in, to the admin's first page."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not admin.site.has_permission(request):
        raise PermissionDenied
    return redirect("admin:index")


def _change_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    return redirect("account_change_password")


class Search(AutocompleteJsonView):
    """What the admin's fields and filters look for. People of one name are told apart by their address."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        found: dict[str, str] = super().serialize_result(obj, to_field_name)
        return found | {"text": f"{obj.name} · {obj.email}"} if isinstance(obj, User) else found


def _search(request: HttpRequest) -> HttpResponse:
    answer: Any = Search.as_view(admin_site=admin.site)(request)
    return answer


admin.site.empty_value_display = "–"
admin.site.autocomplete_view = _search  # type: ignore[method-assign]
admin.site.login = _sign_in  # type: ignore[method-assign]
admin.site.password_change = _change_password  # type: ignore[method-assign, assignment]


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    list_display = ("topic", "group", "created_at", "available_at", "attempts", "delivered_at", "shown_error")
    list_filter = ("topic", ("delivered_at", admin.EmptyFieldListFilter))
    search_fields = ("topic", "group")
    fields = readonly_fields = (
        "topic",
        "group",
        "payload",
        "created_at",
        "available_at",
        "attempts",
        "last_error",
        "delivered_at",
    )

    @admin.display(description=_("last error"))
    def shown_error(self, message: OutboxMessage) -> str:
        return message.last_error[:120]


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    list_display = ("email", "user", "shown_primary", "verified")
    list_filter = ("primary", "verified")
    list_select_related = ("user",)
    search_fields = ("email", "user__name")
    fields = readonly_fields = ("email", "user", "shown_primary", "verified")

    @admin.display(description=_("used for signing in"), boolean=True, ordering="primary")
    def shown_primary(self, address: EmailAddress) -> bool:
        return bool(address.primary)


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Without the secrets."""

    list_display = ("shown_person", "shown_type", "shown_since", "shown_used")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    fields = readonly_fields = ("shown_person", "shown_type", "shown_since", "shown_used")

    @admin.display(description=_("person"), ordering="user__name")
    def shown_person(self, factor: Authenticator) -> str:
        return str(factor.user)

    @admin.display(description=_("kind"), ordering="type")
    def shown_type(self, factor: Authenticator) -> str:
        return str(factor.get_type_display())

    @admin.display(description=_("created"), ordering="created_at")
    def shown_since(self, factor: Authenticator) -> Any:
        return factor.created_at

    @admin.display(description=_("last used"), ordering="last_used_at")
    def shown_used(self, factor: Authenticator) -> Any:
        return factor.last_used_at


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Without the session's key, which would be as good as a password."""

    list_display = ("shown_person", "shown_address", "shown_since", "shown_seen", "shown_browser")
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "ip")
    fields = readonly_fields = ("shown_person", "shown_address", "shown_since", "shown_seen", "shown_agent")
    actions = ("end_browsers",)

    @admin.action(description=_("End the chosen sign-ins"))
    @with_reason
    def end_browsers(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        end_sign_ins(request, [(session.user, str(session.pk)) for session in rows])

    @admin.display(description=_("person"), ordering="user__name")
    def shown_person(self, session: UserSession) -> str:
        return str(session.user)

    @admin.display(description=_("IP address"), ordering="ip")
    def shown_address(self, session: UserSession) -> str:
        return str(session.ip)

    @admin.display(description=_("since"), ordering="created_at")
    def shown_since(self, session: UserSession) -> Any:
        return session.created_at

    @admin.display(description=_("last seen"), ordering="last_seen_at")
    def shown_seen(self, session: UserSession) -> Any:
        return session.last_seen_at

    @admin.display(description=_("browser"))
    def shown_agent(self, session: UserSession) -> str:
        return str(session.user_agent)

    @admin.display(description=_("browser"))
    def shown_browser(self, session: UserSession) -> str:
        return client_of(str(session.user_agent))


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """Each project has one; the membership services write them."""

    list_display = ("name",)
    search_fields = ("name",)
    fields = readonly_fields = ("name",)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    list_display = ("name", "task", "enabled", "interval", "crontab", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("name", "task")
    fields = readonly_fields = (
        "name",
        "task",
        "enabled",
        "interval",
        "crontab",
        "args",
        "kwargs",
        "queue",
        "last_run_at",
        "total_run_count",
        "date_changed",
        "description",
    )


class ScheduleAdmin(ReadOnlyAdmin):
    def get_fields(self, request: Any, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.fields if field.name != "id"]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)


admin.site.register(SCHEDULES, ScheduleAdmin)
