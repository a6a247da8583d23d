"""Which events somebody may read, narrowed to what they look for, and as a person reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Model, OneToOneField, Q
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit import terms
from apps.audit.ciphers import Keyring, subjects_in
from apps.audit.documents import PLATFORM
from apps.audit.models import AuditEvent
from apps.audit.querysets import AuditEventQuerySet
from apps.core import policy
from apps.core.auditing import Mention, action_shown, actions
from apps.core.errors import NotFound
from apps.core.identity import Actor, Role
from apps.organizations.models import Organization
from apps.projects.models import Project

# An id is made a moment before its event's time, by a clock that may have been set meanwhile.
CLOCK = timedelta(days=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
MOST_PEOPLE = 50
MOST_ASKED = 8
# So many events are put in order by their ids; more are read in the log's order.
FEW_FINDS = 5000


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events: one's own, an organization's, a project's, or those of one object."""

    kind: Literal["me", "organization", "project", "entity"]
    organization_id: UUID | None = None
    project_id: UUID | None = None
    entity_type: str = ""
    entity_id: str = ""

    @property
    def mention(self) -> Mention | None:
        """The object whose history is meant, for the note of an export."""
        return Mention(self.entity_type, self.entity_id, "") if self.kind == "entity" else None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is looked for; empty fields narrow nothing."""

    action: str = ""
    entity_type: str = ""
    entity_id: str = ""
    actor_id: UUID | None = None
    project_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    def as_dict(self) -> dict[str, str]:
        return {name: "" if value is None else str(value) for name, value in asdict(self).items()}


# --- Whose rows


def organization_scope(actor: Actor) -> Scope:
    """The chosen organization; every event there is for platform administrators who belong to none."""
    if actor.organization_id is None and actor.is_platform_admin:
        return Scope("organization")
    organization = Organization.objects.get_visible(actor, pk=actor.organization_id)
    policy.require(actor, "audit.follow_organization", organization)
    return Scope("organization", organization_id=organization.pk)


def project_scope(actor: Actor, pk: Any) -> Scope:
    """A project, for those who may follow everything in it."""
    project = Project.objects.get_visible(actor, pk=pk)
    policy.require(actor, "audit.follow_project", project)
    return Scope("project", organization_id=project.organization_id, project_id=project.pk)


def entity_scope(actor: Actor, label: str, pk: str) -> Scope:
    """One object that the actor may see (or may bring back from the trash), or of which they see events anyway."""
    found = object_of(actor, label, pk)
    scope = Scope(
        "entity",
        organization_id=getattr(found, "organization_id", None),
        project_id=getattr(found, "project_id", None),
        entity_type=label,
        entity_id=str(pk),
    )
    if found is None and not rows_of(actor, scope).exists():
        raise NotFound()
    return scope


def rows_of(actor: Actor, scope: Scope) -> AuditEventQuerySet:
    """The events of a scope that the actor may read, asked of the policy each time."""
    rows = AuditEvent.objects.all()
    if scope.kind == "me":
        return rows.visible(actor).filter(actor_id=actor.user_id)
    if scope.kind == "organization":
        if scope.organization_id is None:
            return rows.visible(actor)
        policy.require(actor, "audit.follow_organization", Organization(pk=scope.organization_id))
        return rows.filter(organization_id=scope.organization_id)
    if scope.kind == "project":
        project_scope(actor, scope.project_id)
        return rows.filter(project_id=scope.project_id)
    labels = _labels(scope.entity_type)
    named = [terms.object_term(label, scope.entity_id) for label in labels]
    rows = rows.filter(Q(entity_type__in=labels, entity_id=scope.entity_id) | Q(terms__overlap=named))
    found = object_of(actor, scope.entity_type, scope.entity_id)
    owner = getattr(found, "organization_id", None)
    # What belongs to the installation is seen by every organization; who worked on it is not.
    return rows.filter(organization_id=owner) if owner is not None else rows.visible(actor)


def object_of(actor: Actor, label: str, pk: str) -> Model | None:
    """The object of a label (`projects.project`), where the actor may view it or bring it back, else None.

    Raises `NotFound` for a kind that there is not.
    """
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise NotFound() from error
    name = f"{model._meta.app_label}.%s_{model._meta.model_name}"
    rows = model._default_manager.all()
    for permission in (name % "view", name % "restore"):
        if policy.is_ruled(permission):
            try:
                found = rows.filter(policy.condition(actor, permission)).filter(pk=pk).first()
            except (ValueError, OverflowError, ValidationError) as error:
                raise NotFound() from error
            if found is not None:
                return found
    return None


@cache
def _labels(label: str) -> tuple[str, ...]:
    """The model and those that share its ids: a training job is a job, and events speak of either."""
    model = apps.get_model(label)
    shared = {model}
    key = model._meta.pk
    if isinstance(key, OneToOneField):
        shared.add(key.related_model)
    shared |= {
        relation.related_model
        for relation in model._meta.related_objects
        if relation.one_to_one and relation.field.primary_key
    }
    return tuple(sorted(found._meta.label_lower for found in shared))


# --- What is looked for


def narrowed(rows: AuditEventQuerySet, actor: Actor, scope: Scope | None, wanted: EventFilter) -> AuditEventQuerySet:
    """The rows that fit the filter."""
    for name in ("action", "entity_type", "entity_id", "actor_id", "project_id"):
        if value := getattr(wanted, name):
            rows = rows.filter(**{name: value})
    if wanted.since:
        rows = rows.filter(time__gte=wanted.since, pk__gte=_id_at(wanted.since, -CLOCK))
    if wanted.until:
        rows = rows.filter(time__lt=wanted.until, pk__lt=_id_at(wanted.until, CLOCK))
    return _searched(rows, actor, scope, wanted.text) if wanted.text.strip() else rows


def _id_at(moment: datetime, slack: timedelta) -> UUID:
    """The smallest UUIDv7 of a moment: ids grow with time, and rows are found by them without reading the others."""
    milliseconds = max(0, int((moment - EPOCH + slack).total_seconds() * 1000))
    return UUID(int=min(milliseconds, 2**48 - 1) << 80)


def _searched(rows: AuditEventQuerySet, actor: Actor, scope: Scope | None, text: str) -> AuditEventQuerySet:
    """Rows in which every word begins a word of a name or value, a person's name or address, or the action's label.

    A whole id finds events of its object, its person or its request. What names objects that the actor is not told of is
    found by nothing that is said of these.
    """
    text = text.strip()
    if terms.is_id(text):
        found = UUID(text)
        requests = [terms.request_term(text), terms.request_term(found.hex)]
        return rows.filter(Q(entity_id=str(found)) | _told(actor, scope, people=[found], plain=requests))
    searched = _chains(actor, scope)
    keys = Keyring(searched)
    wanted = []
    for word in terms.WORD.findall(text)[:MOST_ASKED]:
        blind = (keys.blind(chain, terms.beginning_asked(word)) for chain in searched)
        words = [term for term in blind if term]
        found = User.objects.visible(actor).filter(Q(name__icontains=word) | Q(email__istartswith=word))
        people = list(found.order_by("pk").values_list("pk", flat=True)[:MOST_PEOPLE])
        acts = [terms.action_term(action.code) for action in actions() if _begins(str(action.label), word.casefold())]
        wanted.append(_told(actor, scope, words=words, people=people, plain=acts))
    return _meeting(rows, wanted)


def _told(
    actor: Actor, scope: Scope | None, *, words: Iterable[str] = (), people: Sequence[UUID], plain: list[str]
) -> Q:
    """Events with one of the words, by or about one of the people, or with a term that says nothing of their objects.

    What is about no object of its own names objects that only those who follow everything may all know of (`readable`):
    for others neither their names nor the people named among them count.
    """
    named = [*words, *map(terms.person_term, people)]
    managed = actor.organizations(Role.MANAGER)
    if actor.is_platform or (scope is not None and (scope.kind == "me" or scope.organization_id in managed)):
        return Q(terms__overlap=[*named, *plain] or [""])
    told = ~Q(entity_id="") | Q(actor_id=actor.user_id) | Q(organization_id__in=managed)
    return (Q(terms__overlap=named or [""]) & told) | Q(actor_id__in=people) | Q(terms__overlap=plain or [""])


def _meeting(rows: AuditEventQuerySet, wanted: list[Q]) -> AuditEventQuerySet:
    """The rows that meet every condition on terms.

    PostgreSQL takes terms that it has never met for frequent ones, and would read the whole log in its order to find a
    page of them. So the index of terms is asked first: few finds are then put in order, and many are met soon enough by
    reading in order.
    """
    if not wanted:
        return rows
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        found = AuditEvent.objects.filter(*wanted).order_by().values_list("pk", flat=True)
        ids = list(found[: FEW_FINDS + 1])
        cursor.execute("SET LOCAL enable_seqscan = on")
    return rows.filter(pk__in=ids) if len(ids) <= FEW_FINDS else rows.filter(*wanted)


def _begins(label: str, word: str) -> bool:
    return any(part.startswith(word) for part in terms.WORD.findall(label.casefold()))


def _chains(actor: Actor, scope: Scope | None) -> set[UUID]:
    if scope is not None and scope.organization_id is not None:
        return {scope.organization_id}
    organizations = Organization.objects.visible(actor).values_list("pk", flat=True)
    return {PLATFORM, *organizations}


# --- As a person reads them


@dataclass(frozen=True, slots=True)
class ReadableEvent:
    """An event with its values decrypted (or "erased") and its sentence in the reader's language.

    Address, client and e-mail of the actor are empty for readers who neither manage the organization nor are the actor.
    Of what a bulk action names these read the object whose history they ask for; `about_more` counts the others.
    """

    event: AuditEvent
    actor_name: str
    actor_email: str
    ip: str
    client: str
    entity_name: str
    before: dict[str, Any]
    after: dict[str, Any]
    params: dict[str, Any]
    about: list[dict[str, str]]
    about_more: int
    sentence: str


def readable(
    events: Iterable[AuditEvent], actor: Actor | None = None, scope: Scope | None = None
) -> list[ReadableEvent]:
    """Reads a page of events of the scope, for this actor; the number of queries does not grow with the page."""
    events = list(events)
    outer = [[e.actor_person, e.entity_name, e.before, e.after, e.params, e.about] for e in events]
    keys = Keyring(subjects_in(*outer) | {event.actor_id for event in events if event.actor_id})
    opened = [[keys.disclose(value) for value in values] for values in outer]
    # Most of the people named are their actors; others cost one more query for the page.
    keys.add(subjects_in(*opened))
    managed = set(actor.organizations(Role.MANAGER)) if actor else set()
    everything = actor is None or actor.is_platform

    def may_read_all(event: AuditEvent) -> bool:
        own = actor is not None and event.actor_id is not None and event.actor_id == actor.user_id
        return everything or own or event.organization_id in managed

    return [
        _readable(event, values, keys, scope, whole=may_read_all(event))
        for event, values in zip(events, opened, strict=True)
    ]


def _readable(
    event: AuditEvent, values: list[Any], keys: Keyring, scope: Scope | None, *, whole: bool
) -> ReadableEvent:
    erased = _("(erased)")

    def opened(value: Any) -> Any:
        found = keys.decrypt(value)
        return erased if found is None and value is not None else found

    def members(value: Any) -> dict[str, Any]:
        """None: the key of the whole organization is gone."""
        return {name: opened(item) for name, item in value.items()} if value is not None else {"": erased}

    person_value, name_value, before, after, params_value, about_value = values
    person = members(person_value)
    fallback = _("Modelyard") if event.actor_kind == "system" else _("Somebody")
    actor_name = erased if person_value is None else person.get("name", fallback)
    entity_name = erased if name_value is None else str(opened(name_value) or "")
    params = members(params_value)
    told = about_value or []
    # What is about no object of its own names objects that only those who follow everything may all know of.
    shown = told if whole or event.entity_id else _asked_for(told, scope)
    about = [{**item, "name": str(opened(item["name"]) or "")} for item in shown]
    more = len(told) - len(about)
    facts = {**params, "actor": actor_name, "object": entity_name, "objects": _listed(about, more)}
    action = action_shown(event.action)
    facts |= {name: read(facts[name]) for name, read in action.reads.items() if name in facts}
    return ReadableEvent(
        event=event,
        actor_name=actor_name,
        actor_email=person.get("email", "") if whole else "",
        ip=person.get("ip", "") if whole else "",
        client=person.get("client", "") if whole else "",
        entity_name=entity_name,
        before=members(before),
        after=members(after),
        params=params,
        about=about,
        about_more=more,
        sentence=str(action.sentence) % _Lenient(facts),
    )


def _asked_for(about: list[dict[str, Any]], scope: Scope | None) -> list[dict[str, Any]]:
    """Of these mentions those of the object whose history is read."""
    if scope is None or scope.kind != "entity":
        return []
    labels = _labels(scope.entity_type)
    return [item for item in about if item["type"] in labels and item["id"] == scope.entity_id]


def _listed(about: list[dict[str, str]], unnamed: int, most: int = 3) -> str:
    """The first names, and how many more there are."""
    names = [item["name"] or "?" for item in about] or ["?"] * bool(unnamed)
    more = len(about[most:]) + unnamed
    if not more:
        return ", ".join(names)
    return _("%(names)s and %(count)d more") % {"names": ", ".join(names[:most]), "count": more}


class _Lenient(dict[str, Any]):
    """A sentence may name a fact that an older event did not have."""

    def __missing__(self, key: str) -> str:
        return "?"
