"""Cron expressions: five fields, minute, hour, day of the month, month and day of the week, as celery reads them."""

import re
import zoneinfo
from datetime import datetime

from celery.schedules import ParseException
from django.utils.translation import gettext as _
from django_celery_beat.tzcrontab import TzAwareCrontab

from apps.core import time_zones
from apps.core.errors import Invalid

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
FIELD = re.compile(r"[0-9a-zA-Z*,/-]+")
MAX_LENGTH = 100


def parsed(cron: str, time_zone: str) -> tuple[dict[str, str], TzAwareCrontab]:
    """The fields by name, and the schedule. Raises `Invalid` for what is no expression, or never comes to pass."""
    if time_zone not in time_zones.names():
        message = _("There is no such time zone.")
        raise Invalid(message, code="time_zone", fields={"time_zone": [message]})
    parts = cron.split()
    if len(cron) > MAX_LENGTH or len(parts) != len(FIELDS) or not all(map(FIELD.fullmatch, parts)):
        raise _unreadable()
    fields = dict(zip(FIELDS, parts, strict=True))
    try:
        return fields, TzAwareCrontab(**fields, tz=zoneinfo.ZoneInfo(time_zone))
    except (ValueError, ParseException) as error:
        raise _unreadable() from error


def times_after(cron: str, time_zone: str, moment: datetime, count: int) -> list[datetime]:
    """The next so many times after the moment."""
    _fields, schedule = parsed(cron, time_zone)
    found = []
    for _no in range(count):
        start, delta, _now = schedule.remaining_delta(moment.astimezone(schedule.tz))
        moment = start + delta
        found.append(moment)
    return found


def _unreadable() -> Invalid:
    message = _("This schedule is not valid.")
    return Invalid(
        message,
        code="cron",
        hint=_("Write minute, hour, day of the month, month and day of the week, such as 0 3 * * mon."),
        fields={"cron": [message]},
    )
