"""The actors of the matrix of roles (`roles.py`): who they are, and how they ask."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse
from rest_framework.test import APIClient

from apps.core.testing import Cast, Person, Persona, schema
from apps.core.testing.openapi import Endpoint
from tests.factories.apikeys import key_of
from tests.security.test_fuzz import READY, RIGHT, right_for
from tests.security.test_tenancy import body_of, filled, rest_row


class Who(StrEnum):
    """Columns of the table. Who stands in none of the project's columns is no member of the project."""

    NOBODY = "nobody"  # not signed in
    NARROW = "narrow"  # API key of the administrator that may look at machines, and at nothing else
    ELSEWHERE = "elsewhere"  # API key of the administrator with every scope, limited to another project
    GUEST = "guest"
    ENGINEER_I = "engineer_i"
    ENGINEER_II = "engineer_ii"
    MANAGER = "manager"
    ADMIN = "admin"
    ADDED = "added"  # guest who was added to the project as an editor
    VIEWER = "viewer"  # engineers I who are members of the project: viewer, editor, owner
    EDITOR = "editor"
    OWNER = "owner"


class Staff(StrEnum):
    """Columns of the admin's table: those of `Who` from the guest on are of the staff."""

    NOBODY = "nobody"
    KEY = "key"  # API key of the administrator with every scope
    UNSTAFFED = "unstaffed"  # the administrator without the flag that lets people into the admin
    GUEST = "guest"
    ENGINEER_I = "engineer_i"
    ENGINEER_II = "engineer_ii"
    MANAGER = "manager"
    ADMIN = "admin"
    ADDED = "added"
    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"
    PLATFORM = "platform"  # runs the installation; of no organization


KEYS = (Who.NARROW, Who.ELSEWHERE)
PERSONAS = {
    Who.NOBODY: Persona.ANONYMOUS,
    Who.NARROW: Persona.ADMIN,
    Who.ELSEWHERE: Persona.ADMIN,
    Who.GUEST: Persona.GUEST,
    Who.ENGINEER_I: Persona.MEMBER,
    Who.ENGINEER_II: Persona.SENIOR,
    Who.MANAGER: Persona.MANAGER,
    Who.ADMIN: Persona.ADMIN,
    Who.ADDED: Persona.ADDED,
    Who.VIEWER: Persona.VIEWER,
    Who.EDITOR: Persona.EDITOR,
    Who.OWNER: Persona.OWNER,
}
#: Who has no session: a page sends them to the sign-in page.
SESSIONLESS = (Who.NOBODY, *KEYS)


@dataclass(frozen=True)
class Credentials:
    """What the actors show, made once for a module: access tokens and secrets of keys."""

    tokens: dict[Who, str]

    @classmethod
    def of(cls, cast: Cast) -> "Credentials":
        tokens = {who: cast.person(persona).token for who, persona in PERSONAS.items() if who not in KEYS}
        tokens[Who.NARROW] = key_of(cast.admin, "resources.view_node", name="narrow")[1]
        elsewhere = [cast.sample("sharing-project")]
        tokens[Who.ELSEWHERE] = key_of(cast.admin, name="elsewhere", projects=elsewhere)[1]
        return cls(tokens)

    def rest(self, who: Who) -> APIClient:
        """A program. What is answered is held to the schema elsewhere (`test_fuzz.py`), which costs as much again."""
        client = APIClient()
        if self.tokens[who]:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens[who]}")
        return client


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside leaves no row."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@dataclass
class Request:
    """A request to a REST operation that is right in everything but, perhaps, who sends it."""

    endpoint: Endpoint
    path: str
    body: Any
    content_type: str

    @classmethod
    def to(cls, endpoint: Endpoint, cast: Cast, person: Person) -> "Request":
        """Of objects in the state that the operation needs; `person` is whose password or address the body names."""
        row = rest_row(endpoint)
        row = replace(row, samples={**row.samples, **READY.get(endpoint.operation_id, {})})
        path, _mark, query = filled(cast, endpoint.path, row).partition("?")
        asked = {**_required_query(endpoint, cast, person), **dict(parse_qsl(query))}
        content = endpoint.description.get("requestBody", {}).get("content", {})
        content_type = next(iter(content), "")
        body: Any = None
        if content_type == "application/octet-stream":
            body = _value(endpoint, "", {"type": "string"}, cast, person)
        elif content:
            part = _resolved(content[content_type]["schema"])
            body = {**(body_of(row, cast) or {}), **_members(endpoint, part, cast, person)}
        target = f"/api/v1/{path}" + (
            f"?{'&'.join(f'{name}={value}' for name, value in asked.items())}" if asked else ""
        )
        return cls(endpoint, target, body, content_type)

    def send(self, client: APIClient) -> HttpResponse:
        body, content_type = self.body, self.content_type
        if content_type == "application/json":
            body = json.dumps(body)
        elif content_type == "multipart/form-data":
            return getattr(client, self.endpoint.method.lower())(self.path, _with_files(body), format="multipart")
        return client.generic(self.endpoint.method, self.path, body or b"", content_type=content_type)


def _with_files(body: dict[str, Any]) -> dict[str, Any]:
    def file(value: Any) -> Any:
        return SimpleUploadedFile("one.png", value, "image/png") if isinstance(value, bytes) else value

    return {name: [file(one) for one in value] if isinstance(value, list) else value for name, value in body.items()}


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    part = part["allOf"][0] if len(part.get("allOf", [])) == 1 else part
    return schema()["components"]["schemas"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _required_query(endpoint: Endpoint, cast: Cast, person: Person) -> dict[str, Any]:
    asked = [part for part in endpoint.description.get("parameters", []) if part["in"] == "query"]
    return {
        part["name"]: _value(endpoint, part["name"], part["schema"], cast, person)
        for part in asked
        if part.get("required")
    }


def _members(endpoint: Endpoint, part: dict[str, Any], cast: Cast, person: Person) -> dict[str, Any]:
    """What the body must hold, and what `RIGHT` knows beyond that."""
    found = {}
    for name, member in part.get("properties", {}).items():
        key = right_for(endpoint, name)
        if name in part.get("required", []) or (key and RIGHT[key]):
            found[name] = _value(endpoint, name, member, cast, person)
    return found


def _value(endpoint: Endpoint, name: str, part: dict[str, Any], cast: Cast, person: Person) -> Any:
    key = right_for(endpoint, name)
    right = RIGHT[key] if key else None
    return right(cast, person) if right else _smallest(name, _resolved(part))


def _smallest(name: str, part: dict[str, Any]) -> Any:
    if "enum" in part:
        return part["enum"][0]
    kind = part.get("type")
    if kind in ("integer", "number"):
        return part.get("minimum", 1)
    if kind == "boolean":
        return True
    return [] if kind == "array" else {} if kind == "object" else "Another"
