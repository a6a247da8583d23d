"""What shares put into an organization's export; they go with what is shared."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from apps.departures.contributions import CHUNK, Contribution, Part
from apps.shares.kinds import Kind, kinds

FIELDS = {
    "object_type": "What is shared, such as dataset.",
    "object_id": "Id of it.",
    "user_id": "Id of the person whom it is shared with; null: with a project.",
    "project_id": "Id of the project whose members it is shared with; null: with a person.",
    "level": "view, use, edit or manage; each contains those before it.",
    "granted_by": "Id of the person who shared it; null: gone.",
    "since": "When it was shared.",
}


def _rows(organization_id: UUID) -> Iterator[dict[str, Any]]:
    for kind in kinds():
        yield from _of_kind(kind, organization_id)


def _of_kind(kind: Kind, organization_id: UUID) -> Iterator[dict[str, Any]]:
    inside = {f"content_object__{kind.organization}": organization_id}
    people = kind.users.objects.filter(**inside).select_related("permission").order_by("pk")
    for share in people.iterator(chunk_size=CHUNK):
        yield _row(kind, share, user_id=share.user_id)
    groups = kind.groups.objects.filter(**inside).select_related("permission", "group__project").order_by("pk")
    for share in groups.iterator(chunk_size=CHUNK):
        yield _row(kind, share, project_id=share.group.project.pk)


def _row(kind: Kind, share: Any, user_id: UUID | None = None, project_id: UUID | None = None) -> dict[str, Any]:
    return {
        "object_type": kind.name,
        "object_id": share.content_object_id,
        "user_id": user_id,
        "project_id": project_id,
        "level": share.level.value,
        "granted_by": share.granted_by_id,
        "since": share.created_at,
    }


CONTRIBUTION = Contribution(parts=(Part("shares", FIELDS, _rows),))
