"""Permissions as people choose them for a key: by area and object, in words, straight from the policy's registry."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from apps.core import policy
from apps.core.identity import Actor

#: First word of a permission's name → what it lets one do. A test holds it against the registry.
VERBS: dict[str, Any] = {
    "view": _("see"),
    "add": _("create"),
    "change": _("change"),
    "delete": _("delete"),
    "restore": _("restore"),
    "purge": _("delete for good"),
    "contribute": _("work in"),
    "revoke": _("revoke"),
    "manage": _("manage"),
    "use": _("use"),
    "read": _("read what is public, of every organization"),
    "release": _("make public"),
    "follow": _("follow"),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission. `what` names the objects that it is about."""

    permission: str
    verb: Any
    what: Any

    @property
    def label(self) -> str:
        return f"{self.what}: {self.verb}"


@dataclass(frozen=True, slots=True)
class Area:
    """The permissions of one app, by the objects that they are about."""

    name: Any
    rows: list[tuple[Any, list[Scope]]]


def scope_of(permission: str) -> Scope:
    """A permission in words; one that the registry does not know (any more) by its name alone."""
    app, _dot, rest = permission.partition(".")
    verb, _line, model = rest.partition("_")
    try:
        what = apps.get_model(app, model)._meta.verbose_name_plural
    except LookupError:
        # Not of a model of the app's own: of what its rule is about.
        known = policy.is_ruled(permission)
        what = policy.rule_of(permission).model._meta.verbose_name_plural if known else model.replace("_", " ")
    return Scope(permission, VERBS.get(verb, verb), what)


def offered(actor: Actor) -> list[str]:
    """The permissions that the actor could hold on anything in the chosen organization: what a key of theirs may get."""
    owner = actor.bound_to(actor.organization_id)
    names = policy.names() if actor.scopes is None else sorted(actor.scopes)
    return [name for name in names if policy.anywhere(owner, name)]


def by_area(permissions: Iterable[str]) -> list[Area]:
    """The permissions as they are chosen from and shown: the order of the apps, then of the objects' names."""
    found: dict[str, dict[str, list[Scope]]] = {}
    for permission in permissions:
        app, _dot, rest = permission.partition(".")
        model = rest.partition("_")[2]
        found.setdefault(app, {}).setdefault(model, []).append(scope_of(permission))
    order = {config.label: number for number, config in enumerate(apps.get_app_configs())}
    return [
        Area(apps.get_app_config(app).verbose_name, [(scopes[0].what, _sorted(scopes)) for scopes in models.values()])
        for app, models in sorted(found.items(), key=lambda item: order.get(item[0], len(order)))
        if app in order
    ]


def _sorted(scopes: list[Scope]) -> list[Scope]:
    order = {verb: number for number, verb in enumerate(VERBS)}
    return sorted(
        scopes,
        key=lambda scope: order.get(scope.permission.partition(".")[2].partition("_")[0], len(order)),
    )


def reading(permissions: Iterable[str]) -> list[str]:
    """Those that only look."""
    return [name for name in permissions if name.partition(".")[2].startswith("view_")]


def completed(permissions: Iterable[str]) -> frozenset[str]:
    """The permissions with those that they are useless without: to see what they act on, and what they make."""
    known, found = set(policy.names()), set()
    for permission in permissions:
        app, _dot, rest = permission.partition(".")
        model = rest.partition("_")[2]
        target = policy.rule_of(permission).model._meta
        found |= {permission, f"{target.app_label}.view_{target.model_name}", f"{app}.view_{model}"}
    return frozenset(found & known)
