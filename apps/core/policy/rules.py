"""The registry of rules and the questions asked of it; what a refusal says stands in `refusals`."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from apps.core.entities import Trashable
from apps.core.errors import Forbidden
from apps.core.identity import Actor
from apps.core.policy.subqueries import kept, kept_answer, kept_condition

Condition = Callable[[Actor], Q]

# Matches no row; Django recognises it and asks the database nothing.
NOBODY = Q(pk__in=())


@dataclass(frozen=True, slots=True)
class Rule:
    """`permission` on rows of the model `on`; `needs` names, for people, the role that would allow it.

    Where people delete (`Trashable`) a permission is about rows that are not in the trash; `trashed` says that this one
    is about those in it.

    `closing`: whether it still holds in an organization that waits for its deletion, as looking does.
    """

    permission: str
    on: str
    condition: Condition
    needs: Any
    trashed: bool = False
    closing: bool = False

    @property
    def model(self) -> type[Model]:
        return apps.get_model(self.on)

    @property
    def rows(self) -> Q:
        """The rows that the permission is about at all, whoever asks, but for those that lie in a row in the trash.
        What is being deleted for good is there for nobody."""
        if not issubclass(self.model, Trashable):
            return Q()
        return Q(deleted_at__isnull=False, purged_at__isnull=True) if self.trashed else Q(deleted_at__isnull=True)


_rules: dict[str, Rule] = {}
_containers: dict[str, str] = {}
_candidates: Callable[[Model], Iterable[Any]] | None = None
_narrowing: Callable[[Actor, Rule], Q] | None = None


def rule(
    permission: str, *, on: str, needs: Any = "", trashed: bool = False, closing: bool | None = None
) -> Callable[[Condition], Condition]:
    """Declares the rule of a permission, once. The function may use own columns, `Exists` and `__in` only.

    It says who; whether rows in the trash are meant is said by `trashed`, whether an organization may wait for its
    deletion by `closing` (without it: for looking, `view_…`, alone).
    """

    def declare(condition: Condition) -> Condition:
        if permission in _rules:
            raise ValueError(f"The permission {permission} has a rule already.")
        looks = permission.partition(".")[2].startswith("view_")
        _rules[permission] = Rule(permission, on, condition, needs, trashed, looks if closing is None else closing)
        return condition

    return declare


def lies_in(on: str, path: str) -> None:
    """Declares that a row of the model `on` lies in the row that `path` leads to, and with it in the trash.

    A rule says this by itself when it goes `through` the path; platform administrators are asked no rule.
    """
    _containers[on] = path


def containers() -> dict[str, str]:
    """The paths by which rows of models lie in others."""
    return dict(_containers)


def names() -> list[str]:
    """Every permission that has a rule."""
    return sorted(_rules)


def rule_of(permission: str) -> Rule:
    try:
        return _rules[permission]
    except KeyError:
        raise LookupError(f"No rule is declared for the permission {permission!r}.") from None


def condition(actor: Actor, permission: str) -> Q:
    """The `Q` of the rows on which the actor holds the permission now: in organizations that wait for their deletion
    only what says so (`closing`)."""
    return condition_if_open(actor if rule_of(permission).closing else actor.outside_closing(), permission)


def condition_if_open(actor: Actor, permission: str) -> Q:
    """The `Q` of the rows on which the actor holds the permission, or would if their organization were open. What
    rules are composed of: whether it is open is asked once, of the permission at hand.

    Platform administrators hold every permission on the rows that it is about, unless they lie in the trash with what
    holds them (`lies_in`); the portal itself on all. An API key narrows its owner: to its permissions here, to its
    projects by what `register_narrowing` was given.
    """
    found = rule_of(permission)
    if actor.scopes is not None and permission not in actor.scopes:
        actor.missed.add(permission)
        return NOBODY
    if actor.is_system:
        return Q()
    # A key is asked for the permission at hand; what the rule is composed of is the owner's own affair.
    owner = actor.without_scopes()
    return kept_condition(_name(found), owner, lambda: _composed(owner, found))


def _composed(actor: Actor, found: Rule) -> Q:
    if actor.is_platform_admin:
        return found.rows & _held(found.model)
    held = found.condition(actor) if actor.is_authenticated else NOBODY
    if held != NOBODY and actor.projects is not None:
        within = _narrowing(actor, found) if _narrowing else NOBODY
        held = NOBODY if within == NOBODY else held & within
    return NOBODY if held == NOBODY else found.rows & held


def _name(found: Rule) -> tuple[Hashable, ...]:
    return (found.permission, found.condition, found.trashed)


def is_ruled(permission: str) -> bool:
    """Whether the permission has a rule."""
    return permission in _rules


def views_in(app_label: str) -> list[str]:
    """The permissions to view rows of an app's models."""
    prefix = f"{app_label}.view_"
    return [permission for permission in _rules if permission.startswith(prefix)]


def anywhere(actor: Actor, permission: str) -> bool:
    """Whether the actor could hold the permission on some row."""
    return condition(actor, permission) is not NOBODY


def allows(actor: Actor, permission: str, obj: Model) -> bool:
    """Whether the actor holds the permission on this row, asked of the database."""
    return allows_if_open(actor if rule_of(permission).closing else actor.outside_closing(), permission, obj)


def allows_if_open(actor: Actor, permission: str, obj: Model) -> bool:
    """The same, for an organization that waits for its deletion as if it did not."""
    found = rule_of(permission)
    if not isinstance(obj, found.model):
        raise TypeError(f"{permission} is asked of a {found.model.__name__}, not of a {type(obj).__name__}.")
    held = condition_if_open(actor, permission)
    return held is not NOBODY and kept_answer(_name(found), actor.without_scopes(), obj, found.model, held)


def require_scope(actor: Actor, permission: str) -> None:
    """Raises `Forbidden` when the actor came by an API key that was not given this permission."""
    if actor.scopes is not None and permission not in actor.scopes:
        actor.missed.add(permission)
        raise outside_scope({permission})


def outside_scope(permissions: Iterable[str]) -> Forbidden:
    """The refusal of an API key that lacks these permissions."""
    lacking = sorted(permissions)
    return Forbidden(
        _("This API key was not given the permission that this needs."),
        code="outside_scope",
        hint=_("Needed: %(permissions)s. Make a key that has it; scopes of a key do not change.")
        % {"permissions": ", ".join(lacking)},
        params={"permissions": lacking},
    )


def require_visible_still(actor: Actor, obj: Model) -> None:
    """Raises `Forbidden` when the actor, as the rows stand now, may not view the object that they have written.

    Asked inside the transaction, which is then undone: nobody puts a row out of their own sight by changing it. Scopes
    of a key are left aside, for they say what a program may do and not whose the row is.
    """
    view = view_of(obj)
    if view in _rules and not allows(actor.without_scopes(), view, obj):
        raise Forbidden(
            _("You would no longer see this after the change."),
            code="would_be_hidden",
            hint=_("Ask somebody who would still see it to make the change."),
        )


def register_narrowing(narrowing: Callable[[Actor, Rule], Q]) -> None:
    """`narrowing(actor, rule)` is the `Q` of the rule's rows that lie in the projects to which the actor's key is
    limited; `projects` registers it. Without one such a key sees nothing."""
    global _narrowing
    _narrowing = narrowing


def register_candidates(source: Callable[[Model], Iterable[Any]]) -> None:
    """`source(obj)` yields the users who could hold any permission on the object; `organizations` registers it."""
    global _candidates
    _candidates = source


def who(permission: str, obj: Model) -> list[Any]:
    """The people who hold the permission on this object. Costs a question per candidate: for pages, not for lists."""
    if _candidates is None:
        return []
    return [user for user in _candidates(obj) if allows(Actor.of(user), permission, obj)]


def through(path: str, actor: Actor, permission: str) -> Q:
    """Composes a parent's rule into a child's: rows whose `path` leads to a row with this permission."""
    found = rule_of(permission)

    def rows() -> QuerySet[Any]:
        return found.model._default_manager.filter(condition_if_open(actor, permission)).values("pk")

    parents = kept((permission, found.condition), actor, rows)
    return Q(**{f"{path}__in": parents})


def _held(model: type[Model]) -> Q:
    """Rows of the model that lie in no row in the trash."""
    path = _containers.get(model._meta.label)
    if path is None:
        return Q()
    field: Any = model._meta.get_field(path)
    parent: type[Model] = field.related_model
    live = Q(deleted_at__isnull=True) if issubclass(parent, Trashable) else Q()
    held = Q(**{f"{path}__in": parent._default_manager.filter(live & _held(parent))})
    return held | Q(**{f"{path}__isnull": True}) if field.null else held


def view_of(obj: Model) -> str:
    """The permission to view the object."""
    return f"{obj._meta.app_label}.view_{obj._meta.model_name}"
