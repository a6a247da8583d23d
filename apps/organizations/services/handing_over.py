"""Who leaves an organization hands over what nobody else answers for. Apps above register what that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.core.identity import Actor, Role
from apps.organizations.models import Membership


@dataclass(frozen=True, slots=True)
class Belongings:
    """What an app knows of a member: `names` of what they alone answer for; `release` gives that to the heir (None
    when there is nothing of the kind) and takes the member out of everything else in the organization."""

    names: Callable[[Membership], list[str]]
    release: Callable[[Actor, Membership, User | None], None]


_registered: dict[str, Belongings] = {}


def register_belongings(app: str, belongings: Belongings) -> None:
    """Adds what an app knows; one of the same name is replaced."""
    _registered[app] = belongings


def belongings_of(membership: Membership) -> list[str]:
    """Names of everything that the member alone answers for."""
    return [name for belongings in _registered.values() for name in belongings.names(membership)]


def chooses_heir(roles: Mapping[UUID, Role], membership: Membership) -> bool:
    """Whether a person with these roles names who takes over from them: they see the organization's members, as guests
    and the suspended do not. What those hold goes to the oldest administrator."""
    role = roles.get(membership.organization_id)
    return role is not None and role.at_least(Role.ENGINEER_I)


def oldest_administrators(user: User) -> dict[UUID, User]:
    """Of each of the person's organizations the administrator, other than they, who has been there longest."""
    own = Membership.objects.filter(user=user).values("organization_id")
    rows = Membership.objects.active().filter(organization__in=own, role=Role.ADMIN).exclude(user=user)
    # The oldest comes last, and counts.
    return {row.organization_id: row.user for row in rows.select_related("user").order_by("-created_at")}


def hand_over(actor: Actor, membership: Membership, heir: User | None) -> list[str]:
    """Releases everything in the caller's transaction; names of what went to the heir. Raises `Conflict`."""
    names = belongings_of(membership)
    if names and heir is None:
        raise Conflict(
            _("Somebody has to take over what this person alone answers for: %(what)s.") % {"what": ", ".join(names)},
            code="heir_needed",
            hint=_("Name a member who takes it over."),
            params={"what": names},
        )
    for belongings in _registered.values():
        belongings.release(actor, membership, heir if names else None)
    return names
