"""The sink: events written in the transaction of their operation."""

from typing import Any
from uuid import UUID

from apps.audit import terms
from apps.audit.ciphers import Keyring
from apps.audit.documents import PLATFORM, plain
from apps.audit.models import AuditEvent
from apps.core.auditing import AuditRecord, Personal
from apps.core.identity import Actor


def store(records: list[AuditRecord]) -> None:
    """Writes the events of one operation, names and values encrypted."""
    subjects: set[UUID] = set()
    for record in records:
        subjects |= {_chain(record)} | _people(record)
    keys = Keyring(subjects, create=True)
    AuditEvent.objects.bulk_create([_event(record, keys) for record in records])


def _chain(record: AuditRecord) -> UUID:
    return record.organization_id or PLATFORM


def _values(record: AuditRecord) -> list[Any]:
    return [
        record.entity_name,
        *(mention.name for mention in record.about),
        *record.after.values(),
        *record.before.values(),
        *record.params.values(),
    ]


def _people(record: AuditRecord) -> set[UUID]:
    """Those whose values the event holds."""
    found = {value.subject_id for value in _values(record) if isinstance(value, Personal)}
    return found | {record.actor.user_id} if record.actor.user_id else found


def _event(record: AuditRecord, keys: Keyring) -> AuditEvent:
    actor, chain = record.actor, _chain(record)

    def enclosed(value: Any) -> Any:
        return keys.enclose(chain, value)

    return AuditEvent(
        id=record.id,
        parent_id=record.parent_id,
        time=record.time,
        organization_id=record.organization_id,
        project_id=record.project_id,
        actor_id=actor.user_id,
        actor_kind="system" if actor.is_system else "person" if actor.is_authenticated else "anonymous",
        actor_role=actor.memberships.get(record.organization_id, "") if record.organization_id else "",
        actor_person={} if record.by_outsider else enclosed(_person(actor, keys)),
        via=actor.via,
        request_id=actor.request_id,
        action=record.action,
        entity_type=record.entity_type,
        entity_id=record.entity_id,
        entity_name=enclosed(_stored(record.entity_name, keys)),
        before=enclosed({key: _stored(value, keys) for key, value in record.before.items()}),
        after=enclosed({key: _stored(value, keys) for key, value in record.after.items()}),
        params=enclosed({key: _stored(value, keys) for key, value in record.params.items()}),
        about=enclosed(
            [
                {"type": mention.entity_type, "id": mention.entity_id, "name": _stored(mention.name, keys)}
                for mention in record.about
            ]
        ),
        terms=_terms(record, chain, keys),
    )


def _person(actor: Actor, keys: Keyring) -> dict[str, Any]:
    if actor.is_system:
        return {"process": actor.process}
    context = {"ip": actor.ip, "client": actor.user_agent}
    if actor.user is None:
        # Nobody's own: it stands under the chain's key alone.
        return {name: value for name, value in context.items() if value}
    values = {"email": actor.user.email, "name": actor.user.name, **context}
    return {name: keys.encrypt(actor.user.pk, value) for name, value in values.items() if value}


def _stored(value: Any, keys: Keyring) -> Any:
    if isinstance(value, Personal):
        return keys.encrypt(value.subject_id, value.value)
    return plain(value)


def _terms(record: AuditRecord, chain: UUID, keys: Keyring) -> list[str]:
    """Personal values leave their person's id alone, never a word."""
    found = [terms.action_term(record.action), terms.request_term(record.actor.request_id)]
    found += [terms.object_term(mention.entity_type, mention.entity_id) for mention in record.about]
    found += map(terms.person_term, sorted(_people(record)))
    blind: set[str | None] = set()
    for word in terms.words_of(str(value) for value in _values(record) if isinstance(value, str)):
        blind |= {keys.blind(chain, beginning) for beginning in terms.beginnings(word)}
    return [*found, *sorted(term for term in blind if term)]
