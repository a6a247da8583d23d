"""Notes where and when a session was last seen."""

from collections.abc import Callable
from hashlib import sha256

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

# A list of one's sessions needs no more than this, and a page should not cost a write.
EVERY_SECONDS = 60


class LastSeenMiddleware:
    """In place of allauth's, which writes with every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.session_key:
            address = request.META.get("REMOTE_ADDR")
            visit = f"{request.session.session_key}|{address}"
            seen = f"session-seen:{sha256(visit.encode()).hexdigest()}"
            if address and request.user.is_authenticated and cache.add(seen, 1, EVERY_SECONDS):
                UserSession.objects.create_from_request(request)
        return self.get_response(request)
