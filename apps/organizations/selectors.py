"""Reads that other layers need."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from apps.accounts.models import User
from apps.core.identity import Role
from apps.organizations.models import Membership


def active_memberships(user_id: UUID, proven: UUID | None = None) -> dict[UUID, Role]:
    """Organization id → role, oldest membership first, without those that demand a second factor which the person
    does not have and which was not `proven` to them by their provider. One query."""
    rows = Membership.objects.active().filter(user_id=user_id).exclude_locked(proven).order_by("created_at")
    return {organization_id: Role(role) for organization_id, role in rows.values_list("organization_id", "role")}


def locked_organizations(user_id: UUID) -> frozenset[UUID]:
    """Those that the person belongs to and that are closed until they set up a second factor."""
    return frozenset(
        Membership.objects.active().filter(user_id=user_id).locked().values_list("organization_id", flat=True)
    )


def candidates(obj: Model) -> Iterable[Any]:
    """The people who could hold a permission on the object: its organization's members and platform administrators."""
    organization_id = getattr(obj, "organization_id", None) or obj.pk
    return User.objects.active().filter(
        Q(is_superuser=True)
        | Q(pk__in=Membership.objects.active().filter(organization_id=organization_id).values("user_id"))
    )
