"""An event's change as a person reads it: fields and choices by their names, a value by its kind."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext as _

from apps.audit.models import AuditEvent
from apps.audit.selectors import ReadableEvent, Scope, readable
from apps.core.identity import Actor


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An event with its changes: (name, before, after); None where there was nothing."""

    readable: ReadableEvent
    changes: list[tuple[str, Any, Any]]


def activity_rows(events: Iterable[AuditEvent], actor: Actor, scope: Scope) -> list[ActivityRow]:
    """The events of the scope in their order, as this person may read them. Two queries at most."""
    return [ActivityRow(event, _changes(event)) for event in readable(events, actor, scope)]


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
    """What a choice is called; yes and no; lists by their members, other documents as JSON."""
    field = _field(entity_type, name)
    choices = dict(getattr(field, "flatchoices", None) or ())
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(str, value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(choices[value]) if isinstance(value, str) and value in choices else value
