"""What a number in a body may be: a program that is told how many must not have to believe it.

Numbers of a query are moved into their range where they are read (`apps.core.api.parameters`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from apps.core.testing import schema
from apps.core.testing.openapi import Endpoint, endpoints

#: More than any count or size that the portal takes; what may be larger names a row.
MOST = 1 << 40
IDS = {"body.images[]"}


def unbounded(part: Mapping[str, Any], place: str) -> Iterator[str]:
    """Where in a described body an integer stands without a maximum that means something."""
    while "$ref" in part:
        part = schema()["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    if part.get("readOnly"):
        return
    if (
        part.get("type") == "integer"
        and "enum" not in part
        and place not in IDS
        and part.get("maximum", MOST + 1) > MOST
    ):
        yield place
    for name, inner in part.get("properties", {}).items():
        yield from unbounded(inner, f"{place}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(inner := part.get(name), dict):
            yield from unbounded(inner, f"{place}[]")
    for name in ("allOf", "anyOf", "oneOf"):
        for inner in part.get(name, ()):
            yield from unbounded(inner, place)


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in endpoints() if "requestBody" in endpoint.description],
    ids=lambda endpoint: endpoint.operation_id,
)
def test_every_integer_of_a_body_has_a_maximum(endpoint: Endpoint) -> None:
    for content in endpoint.description["requestBody"]["content"].values():
        assert list(unbounded(content["schema"], "body")) == []


def test_a_number_without_one_is_found() -> None:
    huge = {"type": "integer", "maximum": 2**62}
    body = {"type": "object", "properties": {"sizes": {"type": "array", "items": {"type": "integer"}}, "size": huge}}
    assert list(unbounded(body, "body")) == ["body.sizes[]", "body.size"]
