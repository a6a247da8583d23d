"""The actor: one person (or one of the portal's own processes) at one door, with the roles held at this moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.core.entities.ids import uuid7
from apps.core.identity.roles import Role
from apps.core.identity.vouching import Vouched

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


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What a live API key narrows its owner to. `projects` is None where the key is not limited to some."""

    key_id: UUID
    user: "User"
    organization_id: UUID
    scopes: frozenset[str]
    projects: frozenset[UUID] | None
    calls_per_minute: int | None = None


class KeyRefused(Exception):
    """A text that claims to be an API key stands for nobody; `code` says why, for programs."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in one organization: their role, and of the organization what every request needs, so that
    no call asks for it anew: its own limit of API calls, and whether it waits for its deletion."""

    role: Role
    calls_per_minute: int | None = None
    closing: bool = False


MembershipSource = Callable[[Any, UUID | None], Mapping[UUID, Standing]]
_membership_source: MembershipSource | None = None


def register_membership_source(source: MembershipSource) -> None:
    """`source(user_id, proven)` returns the active memberships, organization id → standing; `proven` is an
    organization whose provider has seen a second factor. `organizations` registers it."""
    global _membership_source
    _membership_source = source


SecretSource = Callable[[str], KeyGrant]
KeySource = Callable[[UUID], KeyGrant | None]
_key_by_secret: SecretSource | None = None
_key_by_id: KeySource | None = None


def register_key_source(*, by_secret: SecretSource, by_id: KeySource) -> None:
    """`by_secret(text)` returns the grant of a presented key or raises `KeyRefused`; `by_id` the one of a key that was
    presented before, None once it is revoked or expired. `apikeys` registers both."""
    global _key_by_secret, _key_by_id
    _key_by_secret, _key_by_id = by_secret, by_id


def key_of_secret(text: str) -> KeyGrant:
    """The grant of a presented key. Raises `KeyRefused`."""
    if _key_by_secret is None:
        raise KeyRefused("key_invalid")
    return _key_by_secret(text)


def key_of_id(key_id: UUID) -> KeyGrant | None:
    """The grant of a key that was presented before, as it stands now; None when it ended meanwhile."""
    return _key_by_id(key_id) if _key_by_id else None


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
    # The API key by which the person came in.
    key_id: UUID | None = None
    # None: not limited. Otherwise the permissions that a key was given.
    scopes: frozenset[str] | None = None
    # None: not limited. Otherwise the projects that a key was given.
    projects: frozenset[UUID] | None = None
    # The key's own limit, where it has one below everybody's.
    calls_per_minute: int | None = None
    # The limit that the chosen organization has of its own; None where the installation's holds.
    organization_calls_per_minute: int | None = None
    # Permissions that were asked for and that the key lacks: for the words of a refusal, and for the audit log.
    missed: set[str] = field(default_factory=set, compare=False, repr=False)
    # Organizations that the person belongs to, closed until they set up a second factor. Asked for only when the chosen
    # organization is none that the person may use: for the words of a refusal, never for a right.
    locked: frozenset[UUID] = frozenset()
    # Those of the memberships whose organization waits for its deletion: looked at, and changed no more.
    closing: frozenset[UUID] = frozenset()
    # The refresh tokens beside which the access token at hand was issued.
    family: UUID | None = None
    # Limited to the chosen organization (tokens, keys, single sign-on).
    narrowed: bool = False
    # The organization whose provider signed the person in.
    vouched: Vouched | None = None
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
        key: KeyGrant | None = None,
        family: UUID | None = None,
        vouched: Vouched | None = None,
    ) -> "Actor":
        """The actor for a signed-in person. One query for the memberships.

        `organization_id` is the chosen organization; without it, or when the person is not a member, the first
        membership is chosen. `narrow` (tokens) drops every other membership, and so does an API `key`, which limits
        permissions and projects too; `vouched` narrows to the organization that vouches, if it has let the person in.
        """
        if key is not None:
            organization_id, narrow = key.organization_id, True
        if vouched is not None:
            organization_id, narrow = vouched.organization_id, True
        proven = vouched.organization_id if vouched and vouched.factor else None
        standings = _membership_source(user.pk, proven) if _membership_source else {}
        memberships = {key: standing.role for key, standing in standings.items()}
        locked: frozenset[UUID] = frozenset()
        if _lock_source and (organization_id not in memberships if organization_id else not memberships):
            locked = _lock_source(user.pk) - {proven}
        if vouched is not None and organization_id not in memberships and organization_id not in locked:
            organization_id = None
        if narrow:
            memberships = {key: role for key, role in memberships.items() if key == organization_id}
        elif organization_id not in memberships and organization_id not in locked:
            organization_id = next(iter(memberships), None) or min(locked, default=None)
        standing = standings.get(organization_id) if organization_id else None
        actor = cls(
            user=user,
            memberships=MappingProxyType(memberships),
            organization_id=organization_id,
            via=via,
            request_id=request_id or uuid7().hex,
            ip=ip,
            user_agent=user_agent[:300],
            locked=locked,
            closing=frozenset(key for key in memberships if standings[key].closing),
            family=family,
            narrowed=narrow,
            vouched=vouched,
            key_id=key.key_id if key else None,
            scopes=key.scopes if key else None,
            projects=key.projects if key else None,
            calls_per_minute=key.calls_per_minute if key else None,
            organization_calls_per_minute=standing.calls_per_minute if standing else None,
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
        """Never by an API key or an organization's provider: they are bound to one organization, where memberships
        count alone."""
        bound = self.key_id is not None or self.vouched is not None
        return self.user is not None and self.user.is_superuser and self.user.is_active and not bound

    @property
    def bound_organization_id(self) -> UUID | None:
        """The one organization to which an API key, or a sign-in by its provider, is bound: of what is the person's own
        it reaches what lies there. None for everybody else."""
        if self.vouched is not None:
            return self.vouched.organization_id
        return self.organization_id if self.key_id is not None else None

    @property
    def is_platform(self) -> bool:
        """The portal itself or a platform administrator: above every organization."""
        return self.is_system or self.is_platform_admin

    @property
    def user_id(self) -> UUID | None:
        return self.user.pk if self.user else None

    @property
    def rights(self) -> tuple[Any, ...]:
        """All that rules go by: who it is, in which roles, and what narrows them; not the door they came through."""
        return (
            self.user_id,
            self.is_authenticated,
            self.is_platform_admin,
            self.process,
            frozenset(self.memberships.items()),
            self.organization_id,
            self.closing,
            self.locked,
            self.narrowed,
            self.vouched,
            self.key_id,
            self.scopes,
            self.projects,
        )

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
        """The same person at the same door, with memberships, and what a key allows, read again: for sockets, which
        outlive a request. Who came by a key that has ended meanwhile holds nothing any more."""
        assert self.user is not None
        key = key_of_id(self.key_id) if self.key_id else None
        if self.key_id and key is None:
            nothing: Mapping[UUID, Role] = MappingProxyType({})
            return replace(self, memberships=nothing, closing=frozenset(), scopes=frozenset(), missed=set())
        return Actor.of(
            self.user,
            organization_id=self.organization_id,
            narrow=self.narrowed,
            via=self.via,
            request_id=self.request_id,
            ip=self.ip,
            user_agent=self.user_agent,
            key=key,
            family=self.family,
            vouched=self.vouched,
        )

    def bound_to(self, organization_id: UUID | None) -> "Actor":
        """The same person as an API key of theirs for this organization would be, if it had every permission."""
        own = {key: role for key, role in self.memberships.items() if key == organization_id}
        return replace(
            self,
            memberships=MappingProxyType(own),
            closing=self.closing.intersection(own),
            organization_id=organization_id,
            narrowed=True,
            key_id=self.key_id or uuid7(),
            scopes=None,
            missed=set(),
        )

    def holding(self, organization_id: UUID, role: Role) -> "Actor":
        """The same person, as they would be with this role there: to find out which role they lack."""
        raised = MappingProxyType({**self.memberships, organization_id: role})
        return replace(self, memberships=raised, scopes=None, missed=set())

    def outside_closing(self) -> "Actor":
        """The same person without the organizations that wait for their deletion."""
        if not self.closing:
            return self
        open_ones = {key: role for key, role in self.memberships.items() if key not in self.closing}
        return replace(self, memberships=MappingProxyType(open_ones), closing=frozenset())

    def unnoted(self) -> "Actor":
        """The same person with the same scopes, asked by the portal for its own words: what a key lacks is no misuse."""
        return replace(self, missed=set())

    def without_scopes(self) -> "Actor":
        """The same person, asked what they hold themselves rather than what their key may do. The key's organization
        and projects stay the limit: they say whose rows are meant."""
        return self if self.scopes is None else replace(self, scopes=None, missed=set())
