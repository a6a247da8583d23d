"""The people of a test: one for each way of standing to a project of one organization."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Model

from apps.core.identity import Actor
from apps.core.testing.clients import PortalClient, RestClient
from apps.core.testing.samples import factory_of


class Persona(StrEnum):
    OWNER = "owner"  # engineer of the organization who owns the project
    EDITOR = "editor"  # engineer, editor of the project
    VIEWER = "viewer"  # engineer, viewer of the project
    MEMBER = "member"  # engineer of the organization, not in the project
    SENIOR = "senior"  # engineer II of the organization, not in the project
    MANAGER = "manager"  # manager of the organization, not in the project
    ADMIN = "admin"  # administrator of the organization, not in the project
    GUEST = "guest"  # guest of the organization, not in the project
    ADDED = "added"  # guest of the organization, editor of the project
    STRANGER = "stranger"  # administrator of another organization
    ANONYMOUS = "anonymous"  # nobody signed in
    PLATFORM = "platform"  # platform administrator, of no organization


@dataclass
class Person:
    """A persona made flesh. `user` is None for the anonymous one."""

    persona: Persona
    user: Any
    organization_id: UUID | None
    issue_token: Callable[["Person"], str]

    @property
    def actor(self) -> Actor:
        """Made anew each time, as every door makes it, so that roles are those of this moment."""
        return Actor.of(self.user, organization_id=self.organization_id) if self.user else Actor.anonymous()

    @cached_property
    def token(self) -> str:
        return self.issue_token(self) if self.user else ""

    @cached_property
    def rest(self) -> RestClient:
        return RestClient(self.token)

    @cached_property
    def portal(self) -> PortalClient:
        client = PortalClient()
        if self.user:
            client.force_login(self.user, backend="apps.accounts.backends.AccountBackend")
        return client

    def __str__(self) -> str:
        return self.persona.value


@dataclass
class Cast:
    """Personas and sample objects of one test, made when first asked for.

    `canary` is a word in every name that a sample factory gives, so that a leak is seen in any answer.
    """

    build: Callable[["Cast", Persona], Person]
    canary: str = "zanzibar-canary"
    _people: dict[Persona, Person] = field(default_factory=dict)
    _samples: dict[str, Any] = field(default_factory=dict)

    def person(self, persona: Persona | str) -> Person:
        persona = Persona(persona)
        if persona not in self._people:
            self._people[persona] = self.build(self, persona)
        return self._people[persona]

    def sample(self, name: str) -> Any:
        """The sample object of this name; the names of one factory share their object."""
        factory = factory_of(name)
        key = f"{factory.__module__}.{factory.__qualname__}"
        if key not in self._samples:
            self._samples[key] = factory(self)
        return self._samples[key]

    def again(self) -> "Cast":
        """A cast that has the same rows, in objects of its own: what a test does to them reaches no other."""
        people = {persona: replace(person, user=_fresh(person.user)) for persona, person in self._people.items()}
        samples = {key: _fresh(found) for key, found in self._samples.items()}
        return Cast(self.build, self.canary, people, samples)

    def made(self) -> list[Any]:
        """What this cast has made of the first organization: samples with keys, and people."""
        people = [person.user for persona, person in self._people.items() if persona != Persona.STRANGER]
        foreign = [person.organization_id for person in self._people.values() if person.persona == Persona.STRANGER]
        rows = [*self._samples.values(), *filter(None, people)]
        return [row for row in rows if hasattr(row, "pk") and row.pk not in foreign]

    def path(self, template: str) -> str:
        """`/projects/{project}` with the key of the sample in each placeholder."""
        names = [part.split("}")[0] for part in template.split("{")[1:]]
        return template.format_map({name: key_of(self.sample(name)) for name in names})

    @property
    def owner(self) -> Person:
        return self.person(Persona.OWNER)

    @property
    def editor(self) -> Person:
        return self.person(Persona.EDITOR)

    @property
    def viewer(self) -> Person:
        return self.person(Persona.VIEWER)

    @property
    def member(self) -> Person:
        return self.person(Persona.MEMBER)

    @property
    def manager(self) -> Person:
        return self.person(Persona.MANAGER)

    @property
    def admin(self) -> Person:
        return self.person(Persona.ADMIN)

    @property
    def guest(self) -> Person:
        return self.person(Persona.GUEST)

    @property
    def stranger(self) -> Person:
        return self.person(Persona.STRANGER)

    @property
    def anonymous(self) -> Person:
        return self.person(Persona.ANONYMOUS)

    @property
    def platform(self) -> Person:
        return self.person(Persona.PLATFORM)


def _fresh(found: Any) -> Any:
    """A copy of a row that knows no other rows yet; what is no row is never changed."""
    if not isinstance(found, Model):
        return found
    row = copy.copy(found)
    row._state.fields_cache = {}
    return row


def key_of(found: Any) -> str:
    """What stands for a sample in an address."""
    return str(getattr(found, "pk", found))
