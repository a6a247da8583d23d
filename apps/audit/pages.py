"""An event's change as a person reads it: fields and choices by their names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist

from apps.audit.models import AuditEvent
from apps.audit.selectors import ReadableEvent, readable


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An event with its changes: (name, before, after); None where there was nothing."""

    readable: ReadableEvent
    changes: list[tuple[str, Any, Any]]


def activity_rows(events: Iterable[AuditEvent]) -> list[ActivityRow]:
    """The events in their order. One query."""
    return [ActivityRow(event, _changes(event)) for event in readable(events)]


def _changes(event: ReadableEvent) -> list[tuple[str, Any, Any]]:
    kind = event.event.entity_type
    names = [*event.before, *(name for name in event.after if name not in event.before)]
    return [
        (_label(kind, name), _value(kind, name, event.before.get(name)), _value(kind, name, event.after.get(name)))
        for name in names
    ]


def _field(entity_type: str, name: str) -> Any:
    try:
        return apps.get_model(entity_type)._meta.get_field(name)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None


def _label(entity_type: str, name: str) -> str:
    field = _field(entity_type, name)
    return str(getattr(field, "verbose_name", "") or name.replace("_", " "))


def _value(entity_type: str, name: str, value: Any) -> Any:
    """What a choice is called; other values as they are."""
    field = _field(entity_type, name)
    choices = dict(getattr(field, "flatchoices", None) or ())
    return str(choices[value]) if isinstance(value, str) and value in choices else value
