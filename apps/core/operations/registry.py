"""Registry and decorators of operations."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Forbidden
from apps.core.errors.conflicts import conflict_of
from apps.core.identity import Actor

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of a service function: the tests' matrix and the docs are generated from it."""

    name: str
    permission: str | None
    on: str | None
    audited: bool
    function: Callable[..., Any]


#: The name of a permission, or a function that tells it from the object.
Permission = str | Callable[[Any], str]
_operations: dict[str, Operation] = {}


def all_operations() -> list[Operation]:
    return [_operations[name] for name in sorted(_operations)]


def operation(
    name: str, *, permission: Permission | None = None, on: str | None = None, hides: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a service function an operation named `<app>.<function>`.

    `permission` may be a function that names it for the argument `on`, where objects of several kinds have one each;
    the registry then knows none. Without `permission` the function must authorise by itself (sign-up, one's own
    profile), and no API key does it. The tests list both kinds apart.

    Raises `Conflict` for a broken unique constraint, the policy's errors before the function runs, and `Forbidden`
    after it when the actor may not view the row that it returns any more; `hides` says that this is what the operation
    is for (trash).
    """
    if (permission is None) != (on is None):
        raise ValueError("`permission` and `on` go together.")

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            actor = kwargs.get("actor")
            if args or not isinstance(actor, Actor):
                raise TypeError(f"{name} takes keyword arguments only, and an actor among them.")
            outermost = not auditing.is_collecting()
            with _conflicts(), transaction.atomic(), auditing.collect(name):
                if outermost and permission is None:
                    refuse_keys(actor)
                if permission is not None and on is not None:
                    obj: Any = kwargs[on]
                    asked = permission(obj) if callable(permission) else permission
                    policy.require(actor, asked, obj)
                    policy.require_open(actor, asked, obj)
                # The key was asked for this operation; what it does by the way is done as its owner.
                kwargs["actor"] = actor = actor.without_scopes()
                result = function(*args, **kwargs)
                if permission is not None and not hides and isinstance(result, Model):
                    policy.require_visible_still(actor, result)
                return result

        _register(Operation(name, permission if isinstance(permission, str) else None, on, True, run))
        return run

    return declare


def ingest(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a function a machine's write: one transaction, a token checked by the caller, no audit event."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with _conflicts(), transaction.atomic():
                return function(*args, **kwargs)

        _register(Operation(name, None, None, False, run))
        return run

    return declare


def refuse_keys(actor: Actor) -> None:
    """What asks for no permission is a person's own affair (sign-in, profile, tokens): no scope of a key covers it."""
    if actor.scopes is not None:
        raise Forbidden(
            _("This cannot be done by an API key."), code="outside_scope", hint=_("Sign in as a person for this.")
        )


@contextmanager
def _conflicts() -> Iterator[None]:
    """Two that ask for the same name at once both find it free; the database refuses one, who is told so."""
    try:
        yield
    except IntegrityError as error:
        conflict = conflict_of(error)
        if conflict is None:
            raise
        raise conflict from error


def _register(found: Operation) -> None:
    if found.name in _operations:
        raise ValueError(f"There is an operation {found.name} already.")
    _operations[found.name] = found
