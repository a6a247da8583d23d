"""Reads that other layers need."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from apps.accounts.models import User
from apps.core.identity import Memberships, Role
from apps.organizations.models import Closure, Membership, Organization


def active_memberships(user_id: UUID) -> Memberships:
    """Oldest membership first, without those that demand a second factor which the person does not have. One query."""
    rows = Membership.objects.active().filter(user_id=user_id).exclude_locked().order_by("created_at")
    found = list(rows.values_list("organization_id", "role", "organization__closure"))
    closing = frozenset(organization_id for organization_id, _role, closure in found if closure)
    return Memberships({organization_id: Role(role) for organization_id, role, _closure in found}, closing)


def is_closing(obj: Model) -> bool:
    """Whether the organization that the object is, or belongs to, waits for its deletion. One query."""
    organization_id: Any = obj.pk if isinstance(obj, Organization) else getattr(obj, "organization_id", None)
    return Organization.objects.filter(pk=organization_id).exclude(closure=Closure.OPEN).exists()


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
