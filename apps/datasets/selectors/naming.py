"""Which rows of all apps name objects of the store."""

from collections.abc import Collection
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model

DEEPEST = 3


@cache
def naming() -> tuple[tuple[type[Model], str], ...]:
    """Models whose rows name blobs by digest and size, each with the way to its organization."""
    found = []
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        if {"sha256", "size"} <= names:
            path = _path_to_organization(model)
            if path is None:
                raise LookupError(f"{model._meta.label} names blobs, and no way leads to its organization.")
            found.append((model, path))
    return tuple(found)


def digests_named(organization_id: UUID, digests: Collection[str]) -> set[str]:
    """Those of the digests that any row of the organization names: jobs keep their files under the same keys."""
    named: set[str] = set()
    for model, path in naming() if digests else ():
        rows = model._default_manager.filter(**{path: organization_id}, sha256__in=list(digests))
        named.update(rows.values_list("sha256", flat=True))
    return named


def _path_to_organization(model: Any, depth: int = 0) -> str | None:
    fields = [field for field in model._meta.concrete_fields if field.is_relation and field.related_model]
    if any(field.name == "organization" for field in fields):
        return "organization_id"
    if depth == DEEPEST:
        return None
    for field in fields:
        below = _path_to_organization(field.related_model, depth + 1)
        if below is not None and not field.null:
            return f"{field.name}__{below}"
    return None
