"""Optional `If-Match`: a change made on an old copy is refused instead of undoing somebody else's."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from apps.core.entities import Entity
from apps.core.errors import PreconditionFailed


def check_version(request: Request, obj: Entity) -> None:
    """Raises `PreconditionFailed` when the request names another version than the object has now."""
    wanted = request.headers.get("If-Match")
    if wanted and wanted.strip('"') not in {str(obj.version), "*"}:
        raise PreconditionFailed(
            _("This was changed meanwhile."),
            hint=_("Load it again and repeat the change."),
            params={"version": obj.version},
        )


def etag(obj: Entity) -> dict[str, Any]:
    """Headers that name the object's version."""
    return {"ETag": f'"{obj.version}"'}
