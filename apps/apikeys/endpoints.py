"""Endpoints by name: what a request called, and the catalogue of all, drawn from the OpenAPI schema."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

METHODS = ("get", "post", "put", "patch", "delete")
#: A parameter in the form of the schema, of Django, or of a regular expression.
PARAMETER = re.compile(r"\{\w+\}|<(?:\w+:)?\w+>|\(\?P<\w+>[^)]*\)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the REST API. `name` is what its calls are counted under: method and path without names.

    `summary` is English, as the schema has it; `said` in the reader's language.
    """

    name: str
    method: str
    path: str
    operation_id: str
    tag: str
    summary: str

    @property
    def said(self) -> str:
        return translation.gettext(self.summary) if self.summary else ""


def endpoint_of(request: HttpRequest) -> str | None:
    """The name of what a request called; None for an address that is none of ours."""
    match = request.resolver_match
    if match is None or "<path:rest>" in match.route:
        return None
    method = "GET" if request.method == "HEAD" else str(request.method)
    return _name(method, "/" + match.route) if method.lower() in METHODS else None


@cache
def catalogue() -> tuple[Endpoint, ...]:
    """Every endpoint, by path and method. Drawn once per process: it takes seconds."""
    with translation.override("en"):
        paths: dict[str, dict[str, Any]] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    found = [
        Endpoint(
            name=_name(method.upper(), path),
            method=method.upper(),
            path=path,
            operation_id=described["operationId"],
            tag=described["tags"][0],
            summary=summary_of(described),
        )
        for path, methods in paths.items()
        for method, described in methods.items()
        if method in METHODS
    ]
    return tuple(
        sorted(found, key=lambda endpoint: (endpoint.tag, endpoint.path, METHODS.index(endpoint.method.lower())))
    )


def summary_of(operation: dict[str, Any]) -> str:
    """The first line of what the schema says of an operation."""
    return str(operation.get("description", "")).strip().partition("\n")[0]


def _name(method: str, route: str) -> str:
    plain = PARAMETER.sub("{}", route.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\.", "."))
    return f"{method} /{plain.strip('/')}"[:200]
