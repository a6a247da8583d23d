"""Reads: an object's shares, and who can do what with it and why."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor, Role
from apps.organizations.models import Membership
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.shares.kinds import ROLE_LEVELS, Kind, kind_named, kind_of, kinds
from apps.shares.models import GroupShare, Level, UserShare

#: People named on one page; beyond them their number is what counts.
MOST_PEOPLE = 300


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A share with its grantee."""

    share: UserShare | GroupShare
    kind: Kind
    user: User | None
    project: Project | None

    @property
    def id(self) -> UUID:
        return self.share.pk

    @property
    def level(self) -> Level:
        return self.share.level

    @property
    def grantee(self) -> str:
        return str(self.user or self.project)


@dataclass(slots=True)
class Access:
    """One person: the highest level and every reason for holding one, as words for people."""

    user: User
    level: Level = Level.VIEW
    reasons: list[str] = field(default_factory=list)

    def add(self, level: Level, reason: str) -> None:
        if not self.reasons or level.rank > self.level.rank:
            self.level = level
        self.reasons.append(reason)


@dataclass(frozen=True, slots=True)
class AccessTable:
    """`everybody`: what all engineers of the organization hold beside the people listed."""

    people: list[Access]
    everybody: Level | None
    truncated: bool


def object_for(actor: Actor, name: str, pk: Any) -> Any:
    """The object that is shared. Raises `NotFound` where it is hidden or absent."""
    rows: Any = kind_named(name).model._default_manager
    try:
        return rows.get_visible(actor, pk=UUID(str(pk)))
    except ValueError as error:
        raise Invalid(_("The input is not valid."), fields={"object_id": [_("Not an id.")]}) from error


def shares_of(actor: Actor, obj: Model) -> list[ShownShare]:
    """The shares of the object that the actor may see, oldest first. Two queries."""
    kind = kind_of(obj)
    users: Any = kind.users.objects.visible(actor).filter(content_object=obj)
    groups: Any = kind.groups.objects.visible(actor).filter(content_object=obj)
    found = [
        ShownShare(row, kind, row.user, None)
        for row in users.select_related("user", "permission", "granted_by").order_by("pk")
    ]
    found += [
        ShownShare(row, kind, None, row.group.project)
        for row in groups.select_related("group__project", "permission", "granted_by").order_by("pk")
    ]
    return sorted(found, key=lambda shown: shown.share.pk)


def share_for(actor: Actor, pk: Any) -> ShownShare:
    """The share of this id that the actor may see, in whichever table. Raises `NotFound`."""
    for kind in kinds():
        user = kind.users.objects.visible(actor).select_related("user", "permission").filter(pk=pk).first()
        if user is not None:
            return ShownShare(user, kind, user.user, None)
        rows = kind.groups.objects.visible(actor).select_related("group__project", "permission")
        group = rows.filter(pk=pk).first()
        if group is not None:
            return ShownShare(group, kind, None, group.group.project)
    raise NotFound()


def access_of(actor: Actor, obj: Any) -> AccessTable:
    """Who can see the object and why, highest level first: of the people whom the actor may know.

    A constant number of queries. Says the same as the rules do; platform administrators, who see everything, are left
    out.
    """
    kind = kind_of(obj)
    table: dict[UUID, Access] = {}
    _by_organization(table, obj)
    _by_project(table, kind, obj)
    _by_share(table, kind, obj)
    known = set(User.objects.visible(actor).filter(pk__in=table).values_list("pk", flat=True))
    active = Membership.objects.active().filter(organization_id=obj.organization_id, user_id__in=known)
    present = set(active.values_list("user_id", flat=True))
    people = [access for pk, access in table.items() if pk in present]
    people.sort(key=lambda access: (-access.level.rank, access.user.name))
    return AccessTable(people[:MOST_PEOPLE], kind.grounds(obj).everybody, len(people) > MOST_PEOPLE)


def _entry(table: dict[UUID, Access], user: User) -> Access:
    return table.setdefault(user.pk, Access(user))


def _by_organization(table: dict[UUID, Access], obj: Any) -> None:
    rows = Membership.objects.active().filter(organization_id=obj.organization_id, role__in=(Role.ADMIN, Role.MANAGER))
    for row in rows.select_related("user")[: MOST_PEOPLE + 1]:
        reason = _("%(role)s of the organization") % {"role": Role(row.role).label}
        _entry(table, row.user).add(Level.MANAGE, reason)


def _by_project(table: dict[UUID, Access], kind: Kind, obj: Any) -> None:
    grounds, project = kind.grounds(obj), kind.project_of(obj)
    rows = ProjectMembership.objects.filter(project=project).select_related("user")
    for row in rows.order_by("pk"):
        role = ProjectRole(row.role)
        if role in grounds.members:
            reason = _("%(role)s of the project %(project)s") % {"role": role.label, "project": project}
            _entry(table, row.user).add(grounds.members[role], reason)
        if row.user_id == grounds.creator_id and role in grounds.creator:
            _entry(table, row.user).add(grounds.creator[role], _("Created it"))


def _by_share(table: dict[UUID, Access], kind: Kind, obj: Any) -> None:
    users: Any = kind.users.objects.filter(content_object=obj)
    for share in users.select_related("user", "permission"):
        reason = _("Shared with the person: %(level)s") % {"level": share.level.label}
        _entry(table, share.user).add(share.level, reason)
    groups: Any = kind.groups.objects.filter(content_object=obj, group__project__deleted_at__isnull=True)
    levels = {share.group_id: share.level for share in groups.select_related("permission")}
    members = ProjectMembership.objects.filter(project__group_id__in=levels).select_related("user", "project")
    for row in members.order_by("pk"):
        limit = ROLE_LEVELS[ProjectRole(row.role)]
        level = min(levels[row.project.group_id], limit, key=lambda found: found.rank)
        facts = {"project": row.project, "level": level.label}
        _entry(table, row.user).add(level, _("Shared with the project %(project)s: %(level)s") % facts)
