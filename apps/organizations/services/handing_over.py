"""Who leaves an organization hands over what nobody else answers for. Apps above register what that is."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.core.identity import Actor
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
