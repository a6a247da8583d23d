"""Collecting audit records while an operation runs, and handing them to the sink before it commits."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone
from django.utils.translation import override

from apps.core.auditing.actions import action_of
from apps.core.entities.ids import uuid7
from apps.core.identity import Actor

# Of one event; a bulk action takes fewer at a time.
MOST_MENTIONS = 5000


@dataclass(frozen=True, slots=True)
class Personal:
    """A value about a person (an address, a name): stored as ciphertext under that person's key."""

    value: str
    subject_id: UUID


@dataclass(frozen=True, slots=True)
class Mention:
    """An object that an event speaks of beside its own, and whose history shows the event: one of those that a bulk
    action touched, or the whole to which the event's object belongs."""

    entity_type: str
    entity_id: str
    name: str | Personal

    @classmethod
    def of(cls, row: Model, name: str | Personal | None = None) -> "Mention":
        return cls(row._meta.label_lower, str(row.pk), _name_of(row) if name is None else name)


def _name_of(row: Model) -> str:
    """What is stored has no reader yet: names that are made of translated words are kept in English."""
    with override("en"):
        return str(row)


@dataclass(slots=True)
class AuditRecord:
    """One event as it happened. It refers to its objects by label, id and name, never by a foreign key."""

    actor: Actor
    action: str
    entity_type: str
    entity_id: str
    entity_name: str | Personal
    organization_id: UUID | None
    project_id: UUID | None
    before: dict[str, Any]
    after: dict[str, Any]
    params: dict[str, Any]
    about: list[Mention] = field(default_factory=list)
    # Whether the actor is somebody of another organization: their id is noted, and neither name nor address.
    by_outsider: bool = False
    id: UUID = field(default_factory=uuid7)
    parent_id: UUID | None = None
    time: datetime = field(default_factory=timezone.now)


@dataclass(slots=True)
class _Scope:
    operation: str
    own: list[AuditRecord] = field(default_factory=list)
    inner: list[AuditRecord] = field(default_factory=list)


_scope: ContextVar[_Scope | None] = ContextVar("audit_scope", default=None)
_because: ContextVar[str] = ContextVar("audit_because", default="")
_sink: Callable[[list[AuditRecord]], None] | None = None


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Every event that is noted inside says why, under `because` of its facts. Where the event is about a person, the
    reason is erased with them."""
    token = _because.set(reason)
    try:
        yield
    finally:
        _because.reset(token)


def _said(name: str | Personal | None) -> dict[str, str | Personal]:
    reason = _because.get()
    if not reason:
        return {}
    return {"because": Personal(reason, name.subject_id) if isinstance(name, Personal) else reason}


def register_sink(sink: Callable[[list[AuditRecord]], None]) -> None:
    """`sink(records)` stores them in the running transaction; parents come before children."""
    global _sink
    _sink = sink


def record(
    actor: Actor,
    action: str,
    target: Model | None,
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
    name: str | Personal | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    params: Mapping[str, Any] | None = None,
    about: Iterable[Model | Mention] = (),
    by_outsider: bool = False,
) -> None:
    """Notes one event for the running operation.

    Organization and project are taken from the target's `organization_id` and `project_id` where it has them.
    `changes`, as `Entity.change` returns them, fills before and after. `about` are further objects that the event
    speaks of: a bulk action has no target and names every object there. An event `by_outsider` is read by two
    organizations: of the actor it holds the id alone, and of the target not the project. Raises outside an operation,
    for an action that is not registered, and for more objects than one event holds.
    """
    scope = _scope.get()
    if scope is None:
        raise RuntimeError(f"The audit event {action} was recorded outside an operation.")
    action_of(action)
    mentions = [item if isinstance(item, Mention) else Mention.of(item) for item in about]
    if len(mentions) > MOST_MENTIONS:
        raise ValueError(f"One event names {MOST_MENTIONS} objects at most, not {len(mentions)}.")
    before, after = dict(before or {}), dict(after or {})
    for key, (old, new) in (changes or {}).items():
        before[key], after[key] = old, new
    scope.own.append(
        AuditRecord(
            actor=actor,
            action=action,
            entity_type=target._meta.label_lower if target is not None else "",
            entity_id=str(target.pk) if target is not None else "",
            entity_name=name if name is not None else _name_of(target) if target is not None else "",
            organization_id=organization_id or getattr(target, "organization_id", None),
            project_id=None if by_outsider else project_id or getattr(target, "project_id", None),
            before=before,
            after=after,
            params=dict(params or {}) | ({"api_key": str(actor.key_id)} if actor.key_id else {}) | _said(name),
            about=mentions,
            by_outsider=by_outsider,
        )
    )


def is_collecting() -> bool:
    """Whether an operation runs at this moment."""
    return _scope.get() is not None


@contextmanager
def collect(operation: str) -> Iterator[None]:
    """Opens the scope of an operation; at its end checks for exactly one event and passes it on."""
    outer = _scope.get()
    scope = _Scope(operation)
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
    if len(scope.own) != 1:
        raise RuntimeError(f"{operation} wrote {len(scope.own)} audit events; an operation writes exactly one.")
    event = scope.own[0]
    for child in scope.inner:
        child.parent_id = child.parent_id or event.id
    if outer is not None:
        outer.inner.extend([event, *scope.inner])
        return
    if _sink is None:
        raise RuntimeError("No audit sink is registered; is the app `audit` installed?")
    _sink([event, *scope.inner])
