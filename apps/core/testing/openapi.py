"""Answers of the REST API checked against the schema that drf-spectacular draws from the views.

Stricter than OpenAPI asks: a member that the schema does not name is refused too, for it may be a leak.
"""

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

PREFIX = "/api/v1/"
PROBLEM = "application/problem+json"
ROOT = "urn:modelyard:schema"


@dataclass(frozen=True)
class Endpoint:
    """One operation of the schema. `path` is its template, such as `/api/v1/projects/{id}`."""

    operation_id: str
    method: str
    path: str
    description: dict[str, Any]

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(self.path)) + "$")


@cache
def schema() -> dict[str, Any]:
    """The schema as it is served, drawn once per process."""
    # Plain dictionaries, as a client would read them: no lazy texts.
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str))


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """Every operation, the most literal paths first: `/projects/trash` before `/projects/{id}`."""
    found = [
        Endpoint(description["operationId"], method.upper(), path, description)
        for path, methods in schema()["paths"].items()
        for method, description in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    return tuple(sorted(found, key=lambda endpoint: (endpoint.path.count("{"), endpoint.path, endpoint.method)))


def endpoint_of(method: str, path: str) -> Endpoint | None:
    for endpoint in endpoints():
        if endpoint.method == method.upper() and endpoint.pattern.match(path):
            return endpoint
    return None


def check_response(method: str, path: str, response: HttpResponse) -> None:
    """Raises `AssertionError` when an answer under `/api/v1/` is not what the schema promises."""
    path = path.split("?")[0]
    if not path.startswith(PREFIX) or method.upper() in {"HEAD", "OPTIONS"}:
        return
    where = f"{method} {path} → {response.status_code}"
    endpoint = endpoint_of(method, path)
    if response.status_code >= 400:
        _check_problem(where, response)
        return
    assert endpoint is not None, f"{where}: the schema has no such operation"
    described = endpoint.description["responses"].get(str(response.status_code))
    assert described is not None, f"{where}: the schema knows {sorted(endpoint.description['responses'])}"
    content = described.get("content")
    if not content:
        body = b"" if getattr(response, "streaming", False) else response.content
        assert not body, f"{where}: the schema promises no body, got {body[:200]!r}"
        return
    given = response["Content-Type"].split(";")[0]
    assert given in content, f"{where}: the content type is {given}, the schema says {sorted(content)}"
    if given == "application/json":
        _check(where, content[given]["schema"], json.loads(response.content))


def _check_problem(where: str, response: HttpResponse) -> None:
    given = response["Content-Type"].split(";")[0]
    assert given == PROBLEM, f"{where}: an error must be {PROBLEM}, this is {given}: {response.content[:300]!r}"
    body = json.loads(response.content)
    _check(where, {"$ref": "#/components/schemas/Problem"}, body)
    assert body["status"] == response.status_code, f"{where}: the body says {body['status']}"
    assert body["code"] and body["detail"], f"{where}: a problem needs a code and a detail"


def _check(where: str, part: dict[str, Any], body: Any) -> None:
    wrong = [
        f"  {'.'.join(map(str, error.absolute_path)) or '(root)'}: {error.message}" for error in _errors(part, body)
    ]
    assert not wrong, f"{where}: the body is not what the schema says:\n" + "\n".join(wrong)


def _errors(part: dict[str, Any], body: Any) -> list[Any]:
    absolute = json.loads(json.dumps(part).replace('"#/', f'"{ROOT}#/'))
    validator = OAS30ReadValidator(_closed(absolute), registry=_registry(), format_checker=oas30_format_checker)
    return list(validator.iter_errors(body))


@cache
def _registry() -> Registry:
    resource = Resource.from_contents(_closed(deepcopy(schema())), default_specification=DRAFT4)
    return Registry().with_resource(ROOT, resource)


def _closed(node: Any) -> Any:
    """Every object schema that lists its members, closed to others.

    `{"allOf": [one], "nullable": true}` is how drf-spectacular says "one or null"; read literally it would never be null.
    """
    if isinstance(node, dict):
        node = {key: _closed(value) for key, value in node.items()}
        if node.get("nullable") and "allOf" in node and "type" not in node:
            node["anyOf"] = [{"allOf": node.pop("allOf")}, {"enum": [None], "nullable": True}]
        if node.get("type") == "object" and isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
    elif isinstance(node, list):
        node = [_closed(value) for value in node]
    return node
