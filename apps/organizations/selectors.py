"""Reads that other layers need."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Model, Q

from apps.accounts.models import User
from apps.core.identity import Role
from apps.organizations.models import Membership


def active_memberships(user_id: UUID) -> dict[UUID, Role]:
    """Organization id → role, oldest membership first. One query."""
    rows = Membership.objects.active().filter(user_id=user_id).order_by("created_at")
    return {organization_id: Role(role) for organization_id, role in rows.values_list("organization_id", "role")}


def candidates(obj: Model) -> Iterable[Any]:
    """The people who could hold a permission on the object: its organization's members and platform administrators."""
    organization_id = getattr(obj, "organization_id", None) or obj.pk
    return User.objects.active().filter(
        Q(is_superuser=True)
        | Q(pk__in=Membership.objects.active().filter(organization_id=organization_id).values("user_id"))
    )
