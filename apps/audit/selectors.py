"""Events as a person reads them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.audit.ciphers import Keyring, subjects_in
from apps.audit.models import AuditEvent
from apps.core.auditing import action_of


@dataclass(frozen=True, slots=True)
class ReadableEvent:
    """An event with its personal values decrypted (or "erased") and its sentence in the reader's language."""

    event: AuditEvent
    actor_name: str
    actor_email: str
    ip: str
    entity_name: str
    before: dict[str, Any]
    after: dict[str, Any]
    sentence: str


def readable(events: Iterable[AuditEvent]) -> list[ReadableEvent]:
    """Reads a page of events with one query for all keys."""
    events = list(events)
    subjects = set()
    for event in events:
        subjects |= subjects_in(event.actor_person, event.entity_name, event.before, event.after, event.params)
    keys = Keyring(subjects)
    return [_readable(event, keys) for event in events]


def _readable(event: AuditEvent, keys: Keyring) -> ReadableEvent:
    erased = _("(erased)")

    def opened(value: Any) -> Any:
        found = keys.decrypt(value)
        return erased if found is None and value is not None else found

    person = {name: opened(value) for name, value in event.actor_person.items()}
    fallback = _("Modelyard") if event.actor_kind == "system" else _("Somebody")
    actor_name = person.get("name", fallback)
    entity_name = str(opened(event.entity_name) or "")
    params = {name: opened(value) for name, value in event.params.items()}
    values = {**params, "actor": actor_name, "object": entity_name}
    return ReadableEvent(
        event=event,
        actor_name=actor_name,
        actor_email=person.get("email", ""),
        ip=person.get("ip", ""),
        entity_name=entity_name,
        before={name: opened(value) for name, value in event.before.items()},
        after={name: opened(value) for name, value in event.after.items()},
        sentence=str(action_of(event.action).sentence) % _Lenient(values),
    )


class _Lenient(dict[str, Any]):
    """A sentence may name a fact that an older event did not have."""

    def __missing__(self, key: str) -> str:
        return "?"
