"""What the site adds to the admin: tables of the libraries and of the core, in the admin's look and read-only.

Nothing here has an operation behind it, so nothing can be changed here. The libraries' own admin modules are imported
first, so that theirs are replaced and not met again when Django discovers them.
"""

import importlib
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from apps.core.admin import ReadOnlyAdmin
from apps.core.outbox.models import OutboxMessage

for _library in (
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django.contrib.auth",
    "django_celery_beat",
):
    importlib.import_module(f"{_library}.admin")

SCHEDULES = (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)
for _model in (EmailAddress, Authenticator, UserSession, Group, PeriodicTask, *SCHEDULES):
    admin.site.unregister(_model)


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
    list_display = ("email", "user", "primary", "verified")
    list_filter = ("primary", "verified")
    list_select_related = ("user",)
    search_fields = ("email", "user__name")
    fields = readonly_fields = ("email", "user", "primary", "verified")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Without the secrets."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    fields = readonly_fields = ("user", "type", "created_at", "last_used_at")


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    """Without the session's key, which would be as good as a password."""

    list_display = ("user", "ip", "created_at", "last_seen_at", "shown_browser")
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email", "ip")
    fields = readonly_fields = ("user", "ip", "created_at", "last_seen_at", "user_agent")

    @admin.display(description=_("browser"))
    def shown_browser(self, session: UserSession) -> str:
        return str(session.user_agent)[:80]


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
