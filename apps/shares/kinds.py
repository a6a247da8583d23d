"""Which objects can be shared. An app registers its kind; its rules take `granted` as one term, and
`declare_share_rules` gives the two tables theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Invalid
from apps.core.identity import Actor
from apps.core.policy import condition_if_open, kept, lies_in, rule, through
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.shares.models import Level, UserShare

#: A share with a project gives its members no more than their role there allows.
ROLE_LEVELS = {ProjectRole.OWNER: Level.MANAGE, ProjectRole.EDITOR: Level.EDIT, ProjectRole.VIEWER: Level.USE}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why people hold rights on one object without a share.

    `members`: what each role in the object's own project gives. `creator`: who made it, with what that gives each role
    in the project. `everybody`: what all engineers of the organization hold, None for nothing.
    """

    members: Mapping[ProjectRole, Level]
    creator_id: UUID | None = None
    creator: Mapping[ProjectRole, Level] = field(default_factory=dict)
    everybody: Level | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object that can be shared. `organization` and `project` are the paths of its columns."""

    name: str
    label: Any
    model: type[Model]
    # Subclasses of `UserShare` and `GroupShare`, with a direct key to the model.
    users: type[Any]
    groups: type[Any]
    organization: str
    project: str
    grounds: Callable[[Any], Grounds]

    def permission(self, level: Level) -> str:
        """Name of the policy's permission behind a level."""
        return f"{self.model._meta.app_label}.{level.codename(str(self.model._meta.model_name))}"

    @property
    def manage(self) -> str:
        return self.permission(Level.MANAGE)

    def project_of(self, obj: Any) -> Project:
        for part in self.project.removesuffix("_id").split("__"):
            obj = getattr(obj, part)
        return obj


_kinds: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    """Adds a kind; one of the same name is replaced."""
    _kinds[kind.name] = kind


def kinds() -> list[Kind]:
    return list(_kinds.values())


def kind_named(name: str) -> Kind:
    """Raises `Invalid` for a name that nobody has registered."""
    try:
        return _kinds[name]
    except KeyError:
        message = _("One of: %(values)s.") % {"values": ", ".join(_kinds)}
        raise Invalid(_("The input is not valid."), fields={"object_type": [message]}) from None


def kind_of(obj: Model) -> Kind:
    return next(kind for kind in _kinds.values() if isinstance(obj, kind.model))


def granted(actor: Actor, kind: Kind, level: Level) -> Q:
    """Objects on which a share gives the actor the level, themselves or as a member of a project.

    Only within the actor's organizations, and only while the object's project and the one shared with are not in the
    trash: a share is an exception to roles, never a way across organizations.
    """
    return granted_by_key(actor, kind, level, kind.project)


def granted_by_key(actor: Actor, kind: Kind, level: Level, project: str) -> Q:
    """The same, said of rows that have the key of such an object and, in the column `project`, its project."""
    shared = kept((kind.name, level), actor, lambda: _shared(actor, kind, level))
    inside = kept("live projects", actor, lambda: _live(actor))
    # In this order: the shares are few, and mostly none.
    return Q(pk__in=shared) & Q(**{f"{project}__in": inside})


def _shared(actor: Actor, kind: Kind, level: Level) -> QuerySet[Any]:
    """Keys of the objects that are shared with the actor, wherever they lie."""
    model_name = str(kind.model._meta.model_name)
    codenames = [found.codename(model_name) for found in level.and_above()]
    roles = [role for role, limit in ROLE_LEVELS.items() if limit.rank >= level.rank]
    members = ProjectMembership.objects.filter(user=actor.user_id, role__in=roles, project__deleted_at__isnull=True)
    own = kind.users.objects.filter(user_id=actor.user_id, permission__codename__in=codenames)
    by_project = kind.groups.objects.filter(
        group_id__in=members.values("project__group_id"), permission__codename__in=codenames
    )
    found = (shares.order_by().values("content_object_id") for shares in (own, by_project))
    return next(found).union(*found, all=True)


def _live(actor: Actor) -> QuerySet[Any]:
    """The projects of the actor's organizations that are not in the trash."""
    rows = Project.objects.filter(organization_id__in=actor.organizations(), deleted_at__isnull=True)
    return rows.values("pk")


def declare_share_rules(kind: Kind, needs: Any) -> None:
    """Rules of the kind's two tables: who manages the object sees and changes them; everybody sees, and may give up,
    a share of their own."""
    for table in (kind.users, kind.groups):
        _declare(kind, table, needs)


def _declare(kind: Kind, table: type[Model], needs: Any) -> None:
    app, name, on = table._meta.app_label, table._meta.model_name, table._meta.label

    lies_in(on, "content_object")

    def managed(actor: Actor) -> Q:
        return through("content_object", actor, kind.manage)

    def own(actor: Actor) -> Q:
        if issubclass(table, UserShare):
            return Q(user_id=actor.user_id) & through("content_object", actor, kind.permission(Level.VIEW))
        return Q(pk__in=())

    rule(f"{app}.view_{name}", on=on)(lambda actor: managed(actor) | own(actor))
    rule(f"{app}.change_{name}", on=on, needs=needs)(managed)
    rule(f"{app}.delete_{name}", on=on, needs=needs)(lambda actor: managed(actor) | own(actor))
    rule(f"{app}.add_{name}", on=kind.model._meta.label, needs=needs)(
        lambda actor: condition_if_open(actor, kind.manage)
    )
