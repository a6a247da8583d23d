"""What an organization may use. Apps above register how much they see in use; nothing is counted twice.

A limit of None is no limit. Limits are checked before work starts; what runs already goes on to its end.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import auditing
from apps.core.errors import Conflict, refuse_unknown
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.policy import organization_closing
from apps.organizations import actions
from apps.organizations.models import Membership, MembershipState, Organization

LIMITS = ("max_users", "max_storage_gb", "max_gpu_hours_per_month", "max_jobs_at_once", "max_calls_per_minute")
GIGABYTE = 10**9

#: Organization ids → bytes that an app keeps for all of them together.
StorageMeter = Callable[[Collection[UUID]], int]
#: (organization ids, begin, end) → GPU hours of each within that time, running work included.
GpuMeter = Callable[[list[UUID], datetime, datetime], dict[UUID, float]]
#: Organization ids → jobs of each that run, or are about to.
JobMeter = Callable[[Collection[UUID]], dict[UUID, int]]
#: Organization id → API calls within the last minute; None while nobody counts.
CallMeter = Callable[[UUID], float | None]
#: Organization id → seats that people would take who are on their way in.
SeatClaim = Callable[[UUID], int]
_storage_meters: dict[str, StorageMeter] = {}
_gpu_meters: dict[str, GpuMeter] = {}
_job_meter: JobMeter | None = None
_seat_claims: dict[str, SeatClaim] = {}
_call_meter: CallMeter | None = None


def register_storage_meter(app: str, meter: StorageMeter) -> None:
    _storage_meters[app] = meter


def register_gpu_meter(app: str, meter: GpuMeter) -> None:
    _gpu_meters[app] = meter


def register_seat_claim(app: str, claim: SeatClaim) -> None:
    _seat_claims[app] = claim


def register_job_meter(meter: JobMeter) -> None:
    global _job_meter
    _job_meter = meter


def register_call_meter(meter: CallMeter) -> None:
    global _call_meter
    _call_meter = meter


@dataclass(frozen=True, slots=True)
class Use:
    """One limit and what is used of it, in its unit. `forecast` is the use at the month's end if it goes on so.

    `waiting` is what would come on top if everybody who asked or was invited came in: of seats alone. `used` is None
    where it cannot be told at the moment; `is_default` says that the limit is the platform's, which
    holds for every organization that has none of its own.
    """

    name: str
    limit: float | None
    used: float | None
    forecast: float | None = None
    is_default: bool = False
    waiting: int | None = None

    @property
    def left(self) -> float | None:
        return None if self.limit is None or self.used is None else max(0.0, self.limit - self.used)

    @property
    def share(self) -> float | None:
        """0 to 1, or more when the limit was lowered below what is used."""
        if self.limit is None or self.used is None:
            return None
        return self.used / self.limit if self.limit else 1.0


@operation("organizations.quota_change", permission="organizations.change_quota", on="organization")
def quota_change(*, actor: Actor, organization: Organization, **limits: Any) -> Organization:
    """Sets limits; None takes one away. A limit below what is used refuses what comes next, and ends nothing."""
    refuse_unknown(limits, LIMITS)
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    for name, value in limits.items():
        setattr(organization, name, value)
    organization.full_clean(validate_constraints=False)
    organization.refresh_from_db(fields=list(limits))
    changes = organization.change(**limits)
    auditing.record(actor, actions.QUOTA_CHANGED, organization, organization_id=organization.pk, changes=changes)
    return organization


def uses(organization: Organization) -> list[Use]:
    """Every limit with its use."""
    now = timezone.now()
    begin, end = month_of(now)
    hours = gpu_hours([organization.pk], begin, end)[organization.pk]
    passed = (now - begin) / (end - begin)
    return [
        Use("max_users", organization.max_users, seats_taken(organization.pk), waiting=seats_claimed(organization.pk)),
        Use("max_storage_gb", organization.max_storage_gb, stored_bytes(organization.pk) / GIGABYTE),
        Use(
            "max_gpu_hours_per_month", organization.max_gpu_hours_per_month, hours, hours / passed if passed else None
        ),
        Use("max_jobs_at_once", organization.max_jobs_at_once, running_jobs([organization.pk])[organization.pk]),
        Use(
            "max_calls_per_minute",
            calls_per_minute(organization.max_calls_per_minute),
            _call_meter(organization.pk) if _call_meter else None,
            is_default=organization.max_calls_per_minute is None,
        ),
    ]


def calls_per_minute(own: int | None) -> int:
    """The limit of API calls that holds for an organization with this one of its own."""
    return settings.RATE_LIMITS["organization"] if own is None else own


def require_seat(organization_id: UUID) -> None:
    """Raises `Conflict` when no seat is left, or the organization waits for its deletion.

    The lock makes those who ask at once count one after the other.
    """
    organization = Organization.objects.select_for_update().get(pk=organization_id)
    if organization.closure:
        raise organization_closing()
    limit = organization.max_users
    if limit is not None and not has_seat(organization):
        raise exceeded("max_users", limit, _("The organization has no seat left (%(limit)s).") % {"limit": limit})


def has_seat(organization: Organization) -> bool:
    """Certain for an organization that is locked only."""
    return organization.max_users is None or seats_taken(organization.pk) < organization.max_users


def require_storage(organization_id: UUID) -> None:
    """Raises `Conflict` when no byte is left: asked before something is received or started."""
    limit = Organization.objects.values_list("max_storage_gb", flat=True).get(pk=organization_id)
    if limit is not None and stored_bytes(organization_id) >= limit * GIGABYTE:
        raise exceeded(
            "max_storage_gb", limit, _("The organization's %(limit)s GB are used.") % {"limit": f"{limit:g}"}
        )


def storage_left(organization_id: UUID) -> tuple[int, float] | None:
    """Bytes that may still be stored, and the limit in GB; None without one."""
    limit = Organization.objects.values_list("max_storage_gb", flat=True).get(pk=organization_id)
    return None if limit is None else (max(0, int(limit * GIGABYTE) - stored_bytes(organization_id)), limit)


def require_stored(organization_id: UUID) -> None:
    """Raises `Conflict` when what this transaction has written does not fit any more.

    The lock is held to its end, so that two that write at once are counted one after the other.
    """
    limit = Organization.objects.select_for_update().get(pk=organization_id).max_storage_gb
    if limit is None:
        return
    stored = stored_bytes(organization_id)
    if stored > limit * GIGABYTE:
        message = _("This does not fit: the organization would keep %(stored)s of its %(limit)s GB.")
        shown = {"stored": f"{stored / GIGABYTE:.4g}", "limit": f"{limit:g}"}
        raise exceeded("max_storage_gb", limit, message % shown)


def require_gpu_hours(organization_id: UUID) -> None:
    """Raises `Conflict` when none is left this month: asked before something that wants GPUs is queued."""
    left = gpu_hours_left([organization_id]).get(organization_id)
    if left is not None and left <= 0:
        limit = Organization.objects.values_list("max_gpu_hours_per_month", flat=True).get(pk=organization_id)
        message = _("The organization's %(limit)s GPU hours of this month are used.") % {"limit": f"{limit:g}"}
        raise exceeded("max_gpu_hours_per_month", limit or 0, message)


def gpu_hours_left(organization_ids: list[UUID]) -> dict[UUID, float]:
    """What each organization that has a limit may still use this month."""
    rows = Organization.objects.filter(pk__in=organization_ids).values_list("pk", "max_gpu_hours_per_month")
    limited = {pk: limit for pk, limit in rows if limit is not None}
    if not limited:
        return {}
    used = gpu_hours(list(limited), *month_of(timezone.now()))
    return {pk: limit - used[pk] for pk, limit in limited.items()}


def gpu_hours(organization_ids: list[UUID], begin: datetime, end: datetime) -> dict[UUID, float]:
    found = dict.fromkeys(organization_ids, 0.0)
    for meter in _gpu_meters.values():
        for pk, hours in meter(organization_ids, begin, end).items():
            found[pk] += hours
    return found


def running_jobs(organization_ids: Collection[UUID]) -> dict[UUID, int]:
    found = _job_meter(organization_ids) if _job_meter else {}
    return {pk: found.get(pk, 0) for pk in organization_ids}


def stored_bytes(*organization_ids: UUID) -> int:
    """What they keep, all together."""
    return sum(meter(organization_ids) for meter in _storage_meters.values())


def seats_taken(organization_id: UUID) -> int:
    # Who is switched off is rare and found by index: joining every member to the person would cost three times as much.
    off = User.objects.filter(is_active=False)
    rows = Membership.objects.filter(organization_id=organization_id, state=MembershipState.ACTIVE)
    return rows.exclude(user__in=off).count()


def seats_claimed(organization_id: UUID) -> int:
    """By people who wait for approval, and by open invitations."""
    pending = Membership.objects.filter(organization_id=organization_id, state=MembershipState.PENDING).count()
    return pending + sum(claim(organization_id) for claim in _seat_claims.values())


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The calendar month in UTC, its end excluded."""
    moment = moment.astimezone(UTC)
    begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = begin.replace(year=begin.year + 1, month=1) if begin.month == 12 else begin.replace(month=begin.month + 1)
    return begin, end


def exceeded(quota: str, limit: float, message: str) -> Conflict:
    return Conflict(
        message,
        code="quota_exceeded",
        hint=_("Those who run the platform can raise the limit."),
        params={"quota": quota, "limit": limit},
    )
