"""What every page of a closed organization says."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.core import policy
from apps.departures.selectors import scheduled_deletion


def closing(request: HttpRequest) -> dict[str, Any]:
    """`closing`: the chosen organization's scheduled deletion with `may_cancel`; costs nothing where there is none."""
    actor = getattr(request, "actor", None)
    if actor is None or not hasattr(request, "user") or not request.user.is_authenticated:
        return {}

    def found() -> Any:
        if actor.organization_id not in actor.closing:
            return None
        deletion = scheduled_deletion(actor, actor.organization_id)
        if deletion is None:
            return None
        may = policy.allows(actor, "departures.change_organizationdeletion", deletion)
        return {"deletion": deletion, "may_cancel": may}

    return {"closing": SimpleLazyObject(found)}
