"""The actor: one person (or one of the portal's own processes) at one door, with the roles held at this moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.core.entities.ids import uuid7
from apps.core.identity.roles import Role

if TYPE_CHECKING:
    from apps.accounts.models import User


class Via(StrEnum):
    """The door."""

    SESSION = "session"
    TOKEN = "token"
    KEY = "key"
    SOCKET = "socket"
    COMMAND = "command"
    SYSTEM = "system"


MembershipSource = Callable[[Any], Mapping[UUID, Role]]
_membership_source: MembershipSource | None = None


def register_membership_source(source: MembershipSource) -> None:
    """`source(user_id)` returns the active memberships, organization id → role. `organizations` registers it."""
    global _membership_source
    _membership_source = source


LockSource = Callable[[Any], frozenset[UUID]]
_lock_source: LockSource | None = None


def register_lock_source(source: LockSource) -> None:
    """`source(user_id)` returns the organizations that demand a second factor which the person does not have; the
    membership source leaves them out. `organizations` registers it."""
    global _lock_source
    _lock_source = source


@dataclass(frozen=True, slots=True)
class Actor:
    """Built once per request, socket, task and command; roles are read afresh each time, never taken from a token."""

    user: "User | None"
    memberships: Mapping[UUID, Role] = field(default_factory=lambda: MappingProxyType({}))
    organization_id: UUID | None = None
    via: Via = Via.SESSION
    request_id: str = ""
    ip: str | None = None
    user_agent: str = ""
    # None: not limited. Otherwise the permissions that a key was given.
    scopes: frozenset[str] | None = None
    # Organizations that the person belongs to, closed until they set up a second factor. Asked for only when the chosen
    # organization is none that the person may use: for the words of a refusal, never for a right.
    locked: frozenset[UUID] = frozenset()
    # The refresh tokens beside which the access token at hand was issued.
    family: UUID | None = None
    # Limited to the chosen organization (tokens, keys).
    narrowed: bool = False
    # Name of the portal's own process that acts, "" for people.
    process: str = ""

    @classmethod
    def of(
        cls,
        user: "User",
        *,
        organization_id: UUID | None = None,
        narrow: bool = False,
        via: Via = Via.SESSION,
        request_id: str = "",
        ip: str | None = None,
        user_agent: str = "",
        family: UUID | None = None,
    ) -> "Actor":
        """The actor for a signed-in person. One query for the memberships.

        `organization_id` is the chosen organization; without it, or when the person is not a member, the first
        membership is chosen. `narrow` (tokens, keys) drops every other membership.
        """
        memberships = dict(_membership_source(user.pk)) if _membership_source else {}
        locked: frozenset[UUID] = frozenset()
        if _lock_source and (organization_id not in memberships if organization_id else not memberships):
            locked = _lock_source(user.pk)
        if narrow:
            memberships = {key: role for key, role in memberships.items() if key == organization_id}
        elif organization_id not in memberships and organization_id not in locked:
            organization_id = next(iter(memberships), None) or min(locked, default=None)
        actor = cls(
            user=user,
            memberships=MappingProxyType(memberships),
            organization_id=organization_id,
            via=via,
            request_id=request_id or uuid7().hex,
            ip=ip,
            user_agent=user_agent[:300],
            locked=locked,
            family=family,
            narrowed=narrow,
        )
        # `user.has_perm`, as the admin asks it, answers from the policy for this actor.
        user.actor = actor
        return actor

    @classmethod
    def system(cls, process: str) -> "Actor":
        """One of the portal's own processes ("dispatcher", "reconciler"): it may do anything, and says who it is."""
        return cls(user=None, via=Via.SYSTEM, process=process, request_id=uuid7().hex)

    @classmethod
    def anonymous(cls, *, request_id: str = "", ip: str | None = None, user_agent: str = "") -> "Actor":
        return cls(user=None, request_id=request_id or uuid7().hex, ip=ip, user_agent=user_agent[:300])

    @property
    def is_system(self) -> bool:
        return bool(self.process)

    @property
    def is_authenticated(self) -> bool:
        return self.user is not None

    @property
    def is_platform_admin(self) -> bool:
        return self.user is not None and self.user.is_superuser and self.user.is_active

    @property
    def user_id(self) -> UUID | None:
        return self.user.pk if self.user else None

    @property
    def role(self) -> Role | None:
        """The role in the chosen organization."""
        return self.memberships.get(self.organization_id) if self.organization_id else None

    @property
    def lacks_factor(self) -> bool:
        """Whether the chosen organization is closed to the person until they set up a second factor."""
        return self.organization_id in self.locked

    def organizations(self, minimum: Role = Role.GUEST) -> list[UUID]:
        """Ids of the organizations in which the actor holds at least this role."""
        return [key for key, role in self.memberships.items() if role.at_least(minimum)]

    def refreshed(self) -> "Actor":
        """The same person at the same door, with memberships read again: for sockets, which outlive a request."""
        assert self.user is not None
        return Actor.of(
            self.user,
            organization_id=self.organization_id,
            narrow=self.narrowed,
            via=self.via,
            request_id=self.request_id,
            ip=self.ip,
            user_agent=self.user_agent,
            family=self.family,
        )

    def without_scopes(self) -> "Actor":
        """The same person, asked what they hold themselves rather than what their key may do."""
        return replace(self, scopes=None)
