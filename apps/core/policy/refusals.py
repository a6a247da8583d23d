"""What somebody lacks who may see an object and not do a thing with it: a role, and the people who can give it.

The words of a rule name the role in the object's project; which role in the organization would be enough is found out
by asking the rule itself, for the actor as they would be with that role.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Forbidden, NotAuthenticated, NotFound
from apps.core.identity import Actor, Role
from apps.core.policy.rules import (
    allows,
    allows_if_open,
    containers,
    names,
    require_scope,
    rule_of,
    view_of,
)

MOST_NAMED = 3
# Of the people asked whether they can give a role; pages show three.
MOST_ASKED = 6
#: By which key a row hangs on another, where no rule says in what it lies.
PARENTS = ("content_object", "organization")


@dataclass(frozen=True, slots=True)
class Holder:
    """A model in which people are given the roles that count for it and for all that lies in it.

    `grant`: the permission on it that lets people give a role of an organization. `likely(actor, row)`: people whom
    the actor may see and who probably hold it, the nearest first. `obstacle(row)`: why nobody may do some things with
    it as it is now, "" when nothing is in the way.
    """

    on: str
    grant: Callable[[Role], str]
    likely: Callable[[Actor, Any], Iterable[Any]]
    obstacle: Callable[[Any], str] = lambda row: ""


@dataclass(frozen=True, slots=True)
class Lack:
    """Why an actor may not do something with an object that they see."""

    permission: str
    # The role that the rule names; "" where it names none.
    needs: str = ""
    # The lowest role in the organization that would be enough; None: no role there is.
    role: Role | None = None
    # Names of people who can give it, three at most.
    grantors: tuple[str, ...] = ()
    obstacle: str = ""

    @property
    def text(self) -> str:
        """One or more sentences: what is needed, and who can give it."""
        if self.obstacle:
            return self.obstacle
        parts = []
        if self.role is not None and not self.role.at_least(Role.MANAGER):
            parts.append(_("Needed in the organization: %(role)s.") % {"role": self.role.label})
        else:
            if self.needs:
                parts.append(_("Needed: %(role)s.") % {"role": self.needs})
            if self.role is not None and str(self.role.label).casefold() not in self.needs.casefold():
                parts.append(_("Or in the organization: %(role)s.") % {"role": self.role.label})
        if self.grantors:
            parts.append(_("Who can give it: %(names)s.") % {"names": ", ".join(self.grantors)})
        return " ".join(parts)

    @property
    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "permission": self.permission,
            "needs": self.needs,
            "role": self.role.value if self.role else None,
            "grantors": list(self.grantors),
        }


_holders: dict[str, Holder] = {}
_closing: Callable[[Model], bool] | None = None


def register_holder(holder: Holder) -> None:
    """Says where roles are given; `organizations` and `projects` do."""
    _holders[holder.on] = holder


def register_closing(source: Callable[[Model], bool]) -> None:
    """`source(obj)`: whether the organization that the object is, or whose id it has, waits for its deletion;
    `organizations` registers it."""
    global _closing
    _closing = source


def lack_of(actor: Actor, permission: str, obj: Model) -> Lack:
    """What the actor lacks for this, who may see the object and not do it.

    Names nobody whom the actor may not see anyway, and asks a bounded number of questions: for refusals and pages.
    """
    needs = str(rule_of(permission).needs)
    place = _place_of(obj)
    if place is None:
        return Lack(permission, needs)
    holder, row = place
    organization_id = getattr(row, "organization_id", None) or row.pk
    if organization_id in actor.closing and not rule_of(permission).closing:
        # No role would be enough now, and nobody can give one.
        return Lack(permission, obstacle=organization_closing().message)
    role = _enough(actor, permission, obj, organization_id)
    if role is None:
        obstacle = holder.obstacle(row)
        return Lack(permission, "" if obstacle else needs, obstacle=obstacle)
    # A role below a manager's is one of the organization, and given there.
    if not role.at_least(Role.MANAGER):
        holder, row = _organization_of(holder, row)
    return Lack(permission, needs, role, grantors_of(actor, holder, row, role))


def require(actor: Actor, permission: str, obj: Model) -> None:
    """Raises `NotFound` when the object is hidden, `Forbidden` when it may be seen but this may not be done.

    The refusal names the role that would be enough, and people who can give it.
    """
    if allows(actor, permission, obj):
        return
    if not actor.is_authenticated and not actor.is_system:
        raise NotAuthenticated(_("Sign in first."))
    view = view_of(obj)
    is_seen = view in names() and allows(actor, view, obj)
    if is_seen:
        require_scope(actor, permission)
        if actor.closing and allows_if_open(actor, permission, obj):
            raise organization_closing()
    if permission == view or not is_seen:
        raise NotFound()
    lack = lack_of(actor, permission, obj)
    raise Forbidden(_("You may see this, but not do this with it."), hint=lack.text, params=lack.facts)


def require_open(actor: Actor, permission: str, obj: Model) -> None:
    """Raises `Conflict` for a platform administrator, whom no rule is asked for, where the object's organization waits
    for its deletion and the permission does not hold then."""
    if not actor.is_platform_admin or rule_of(permission).closing or _closing is None:
        return
    place = _place_of(obj)
    if _closing(place[1] if place else obj):
        raise organization_closing()


def organization_closing() -> Conflict:
    """The refusal of a change in an organization that waits for its deletion."""
    return Conflict(
        _("The organization waits for its deletion: nothing in it changes any more."),
        code="organization_closing",
        hint=_("One of its administrators can cancel the deletion."),
    )


def lack_of_role(actor: Actor, permission: str, row: Model, role: Role) -> Lack:
    """The same where a service asks for a role of the organization beyond what the rule of the permission does."""
    return Lack(permission, str(role.label), role, grantors_of(actor, _holders[row._meta.label], row, role))


def grantors_of(actor: Actor, holder: Holder, row: Any, role: Role) -> tuple[str, ...]:
    """Names of people, seen by the actor, who can give this role in the row."""
    found: dict[UUID, str] = {}
    asked: set[UUID] = set()
    for person in holder.likely(actor.unnoted(), row):
        if len(found) == MOST_NAMED or len(asked) == MOST_ASKED:
            break
        if person.pk == actor.user_id or person.pk in asked:
            continue
        asked.add(person.pk)
        if allows(Actor.of(person), holder.grant(role), row):
            found[person.pk] = str(person)
    return tuple(found.values())


def _enough(actor: Actor, permission: str, obj: Model, organization_id: UUID) -> Role | None:
    """The lowest role above the actor's own in the organization with which the rule would allow it."""
    own = actor.memberships.get(organization_id)
    if own is None:
        return None
    for role in sorted(Role, key=lambda role: role.rank):
        if role.rank <= own.rank:
            continue
        if allows(actor.holding(organization_id, role), permission, obj):
            return role
    return None


def _place_of(obj: Model) -> tuple[Holder, Any] | None:
    """The object itself, or the nearest one that it lies in, in which roles are given."""
    row: Any = obj
    while row is not None:
        holder = _holders.get(row._meta.label)
        if holder is not None:
            return holder, row
        columns = {field.name for field in row._meta.concrete_fields}
        path = containers().get(row._meta.label) or next((name for name in PARENTS if name in columns), None)
        row = getattr(row, path) if path else None
    return None


def _organization_of(holder: Holder, row: Any) -> tuple[Holder, Any]:
    """The organization that a project lies in; an organization itself."""
    found = _place_of(row.organization) if hasattr(row, "organization") else None
    return found or (holder, row)
