"""Optional `If-Match`: a change made on an old copy is refused instead of undoing somebody else's."""

from typing import Any

from rest_framework.request import Request

from apps.core.entities import Entity

# No row has it.
UNREADABLE = 0


def expected_version(request: Request, obj: Entity) -> int | None:
    """The version that the request changes, for the operation to compare under its lock; None where any will do.

    Raises `PreconditionFailed` when the object has another one already.
    """
    wanted = request.headers.get("If-Match", "").strip().strip('"')
    if wanted in {"", "*"}:
        return None
    expected = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else UNREADABLE
    obj.expect(expected)
    return expected


def etag(obj: Entity) -> dict[str, Any]:
    """Headers that name the object's version."""
    return {"ETag": f'"{obj.version}"'}
