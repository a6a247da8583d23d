"""Reads that other layers need."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Model, Q

from apps.accounts.models import User
from apps.core.entities import Question
from apps.core.identity import Actor, Role, Standing
from apps.organizations.models import Closure, Membership, Organization

# Of each kind, of the people who can give a role; a page names fewer.
MOST_NAMED = 5


def active_memberships(user_id: UUID, proven: UUID | None = None) -> dict[UUID, Standing]:
    """Organization id → standing, oldest membership first, without those that demand a second factor which the person
    does not have and which was not `proven` to them by their provider. One query."""
    found = _standings(proven is not None).ask(*([user_id, proven] if proven else [user_id]))
    return {pk: Standing(Role(role), calls, closure != Closure.OPEN) for pk, role, calls, closure in found}


@cache
def _standings(by_proof: bool) -> Question:
    """Asked with every request: of the person, and of the organization that a factor was proven to."""
    person, proven = uuid4(), uuid4()
    rows = Membership.objects.active().filter(user_id=person).exclude_locked(proven if by_proof else None)
    found = rows.order_by("created_at").values_list(
        "organization_id", "role", "organization__max_calls_per_minute", "organization__closure"
    )
    return Question.of(found, [person, proven] if by_proof else [person])


def is_closing(obj: Model) -> bool:
    """Whether the organization that the object is, or belongs to, waits for its deletion. One query."""
    organization_id: Any = obj.pk if isinstance(obj, Organization) else getattr(obj, "organization_id", None)
    return Organization.objects.filter(pk=organization_id).exclude(closure=Closure.OPEN).exists()


def locked_organizations(user_id: UUID) -> frozenset[UUID]:
    """Those that the person belongs to and that are closed until they set up a second factor."""
    return frozenset(
        Membership.objects.active().filter(user_id=user_id).locked().values_list("organization_id", flat=True)
    )


def managing(actor: Actor, organization_id: UUID) -> Iterable[Any]:
    """People whom the actor may see and who manage the organization, administrators first."""
    rows = Membership.objects.visible(actor).active().filter(organization_id=organization_id)
    for role in (Role.ADMIN, Role.MANAGER):
        for membership in rows.filter(role=role).select_related("user").order_by("pk")[:MOST_NAMED]:
            yield membership.user


def giving_permission(role: Role) -> str:
    """The permission that lets people give this role: managers give the ones below their own."""
    return "organizations.change_organization" if role.at_least(Role.MANAGER) else "organizations.add_membership"


def candidates(obj: Model) -> Iterable[Any]:
    """The people who could hold a permission on the object: its organization's members and platform administrators."""
    organization_id = getattr(obj, "organization_id", None) or obj.pk
    return User.objects.active().filter(
        Q(is_superuser=True)
        | Q(pk__in=Membership.objects.active().filter(organization_id=organization_id).values("user_id"))
    )
