"""Gives every request its actor."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from apps.core.identity.actor import Actor, Via
from apps.core.identity.requests import PortalRequest
from apps.core.identity.vouching import Vouched

CHOSEN_ORGANIZATION = "organization_id"


def context_of(request: HttpRequest) -> dict[str, Any]:
    """What an actor knows of the request by which they came: its id, their address and program."""
    return {
        "request_id": getattr(request, "request_id", ""),
        "ip": request.META.get("REMOTE_ADDR"),
        "user_agent": request.META.get("HTTP_USER_AGENT", ""),
    }


def actor_for(request: HttpRequest) -> Actor:
    """The actor of a session request; anonymous when nobody is signed in."""
    context = context_of(request)
    user = request.user
    if not user.is_authenticated:
        return Actor.anonymous(**context)
    chosen, vouched = request.session.get(CHOSEN_ORGANIZATION), Vouched.of_session(request.session)
    return Actor.of(
        user, organization_id=UUID(chosen) if chosen else None, via=Via.SESSION, vouched=vouched, **context
    )


class ActorMiddleware:
    """Sets `request.actor`, made on first use so that health checks and static pages cost no query."""

    def __init__(self, get_response: Callable[[PortalRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponse:
        request.actor = cast(Actor, SimpleLazyObject(lambda: actor_for(request)))
        # The admin asks `request.user.has_perm` before any view of ours runs.
        if request.path.startswith("/admin/") and request.user.is_authenticated:
            request.actor = actor_for(request)
        return self.get_response(request)
