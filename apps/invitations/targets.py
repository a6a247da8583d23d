"""What people can be invited to. The organization is registered here; projects and datasets join from above."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Invalid
from apps.core.identity import Actor


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of thing that people are invited to.

    `permission` is asked of the object before anybody is invited to it. `roles` are (value, label), highest first.
    `check(actor, obj, role)` raises `Forbidden` for a role that the actor may not give. `join(actor, obj, user, role)`
    lets a member of the organization in; raises `Conflict` with the code `already_member` when they are in.
    """

    name: str
    label: Any
    model: type[Model]
    permission: str
    roles: tuple[tuple[str, Any], ...]
    check: Callable[[Actor, Any, str], None]
    join: Callable[[Actor, Any, User, str], Any]
    address: Callable[[Any], str]

    def role_label(self, role: str) -> str:
        return str(dict(self.roles).get(role, role))

    def organization_id_of(self, obj: Any) -> UUID:
        return obj.pk if self.name == "organization" else obj.organization_id

    def require_role(self, role: str) -> None:
        if role not in dict(self.roles):
            message = _("One of: %(values)s.") % {"values": ", ".join(value for value, _label in self.roles)}
            raise Invalid(_("The input is not valid."), code="role_unknown", fields={"role": [message]})


_targets: dict[str, Target] = {}


def register_target(target: Target) -> None:
    """Adds a kind; one of the same name is replaced."""
    _targets[target.name] = target


def targets() -> list[Target]:
    return list(_targets.values())


def target_named(name: str) -> Target:
    """Raises `Invalid` for a name that nobody has registered."""
    try:
        return _targets[name]
    except KeyError:
        message = _("One of: %(values)s.") % {"values": ", ".join(_targets)}
        raise Invalid(_("The input is not valid."), fields={"target_type": [message]}) from None


def target_of(obj: Model) -> Target:
    return next(target for target in _targets.values() if isinstance(obj, target.model))
