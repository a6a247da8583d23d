"""Which objects can be shared. An app registers its kind; its rules take `granted` as one term, and
`declare_share_rules` gives the two tables theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, Model, OuterRef, Q
from django.utils.translation import gettext as _

from apps.core.errors import Invalid
from apps.core.identity import Actor
from apps.core.policy import condition_if_open, lies_in, rule, through
from apps.projects.models import Project, ProjectRole
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
    model_name = str(kind.model._meta.model_name)
    codenames = [found.codename(model_name) for found in level.and_above()]
    roles = [role for role, limit in ROLE_LEVELS.items() if limit.rank >= level.rank]
    own = kind.users.objects.filter(
        content_object_id=OuterRef("pk"), user_id=actor.user_id, permission__codename__in=codenames
    )
    by_project = kind.groups.objects.filter(
        content_object_id=OuterRef("pk"),
        permission__codename__in=codenames,
        group__project__deleted_at__isnull=True,
        group__project__memberships__user_id=actor.user_id,
        group__project__memberships__role__in=roles,
    )
    live = Project.objects.filter(deleted_at__isnull=True)
    inside = Q(**{f"{kind.organization}__in": actor.organizations(), f"{kind.project}__in": live})
    return (Q(Exists(own)) | Q(Exists(by_project))) & inside


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
