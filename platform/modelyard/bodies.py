"""Bodies of requests, bounded by path in front of Django.

Under ASGI Django writes a whole body to its disk before any view, and so before the sign-in, is asked. Here a body that
is longer than its path takes is refused by what it announces or while it comes in, and the paths that take large ones
are opened to nobody who does not prove first who they are. The views keep their own, finer checks.
"""

import io
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpResponse, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.settings import api_settings

from apps.core.api.problems import CONTENT_TYPE, exception_handler
from apps.core.errors import DomainError, NotAuthenticated, TooLarge
from apps.datasets.services.parts import PART_BYTES
from apps.datasets.services.reading import DIRECT_BYTES
from apps.datasets.services.room import LIMITS
from apps.evaluation.api.views import FORM_BYTES
from apps.evaluation.services import MAX_TOTAL_BYTES
from apps.jobs.attempt_api.views import MAX_BODY, attempt_token
from apps.jobs.services import attempts
from apps.jobs.services.ingest import MAX_FILE_BYTES

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Proof = Callable[[ASGIRequest, Mapping[str, str]], None]

UUID_FORM = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# They describe a body that is not there when only the sender is asked for.
BODY_HEADERS = frozenset({b"content-length", b"content-type", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Door:
    """A path that takes more than a document or a form; `proof` raises when the sender is surely nobody."""

    method: str
    path: str
    limit: int
    proof: Proof


def _person(request: ASGIRequest, found: Mapping[str, str]) -> None:
    """A program or a signed-in person, as the REST edge will find them. What CSRF says is left to it."""
    SessionMiddleware(lambda _request: HttpResponse()).process_request(request)
    request.user = get_user(request)
    request.request_id = ""  # type: ignore[attr-defined]
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    asked = Request(request, authenticators=[kind() for kind in kinds])
    try:
        known = asked.user.is_authenticated
    except PermissionDenied:
        return
    if not known:
        raise NotAuthenticated(_("Sign in first."))


def _attempt(request: ASGIRequest, found: Mapping[str, str]) -> None:
    attempts.authenticate(UUID(found["attempt"]), attempt_token(request))


ATTEMPT = f"/api/attempt/v1/(?P<attempt>{UUID_FORM})"
DOORS = (
    Door("POST", f"{ATTEMPT}/(?:hello|events|end)", MAX_BODY, _attempt),
    Door("PUT", f"{ATTEMPT}/files", MAX_FILE_BYTES, _attempt),
    Door("PUT", "/api/v1/datasets/[^/]+/uploads/[^/]+/files", LIMITS.member_bytes, _person),
    Door("PUT", "/api/v1/datasets/[^/]+/uploads/[^/]+/parts", PART_BYTES, _person),
    Door("POST", "/api/v1/datasets/[^/]+/analyze", DIRECT_BYTES, _person),
    Door("POST", "/api/v1/inference-jobs", MAX_TOTAL_BYTES + FORM_BYTES, _person),
)


def door_of(method: str, path: str) -> tuple[Door | None, Mapping[str, str]]:
    """The door that a request comes to, with what its path names; None for all that is small."""
    for door in DOORS:
        if door.method == method and (found := re.fullmatch(door.path, path)):
            return door, found.groupdict()
    return None, {}


class BodyLimits:
    """Stands in front of Django's application and lets through what `DOORS` and the settings allow.

    A body that announces to be as small as any path takes costs nothing here but its counting.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        announced = _announced(scope)
        if announced is None or announced > limit:
            door, found = door_of(scope["method"], scope["path"])
            limit = door.limit if door is not None else limit
            if announced is not None and announced > limit:
                await answer(_too_large(scope), send)
                return
            if door is not None and (refusal := await _refusal(scope, door, found)) is not None:
                await answer(refusal, send)
                return
        body = _Body(receive, send, limit)
        await self.application(scope, body.receive, body.send)
        if body.exceeded and not body.answered:
            await answer(_too_large(scope), send)


class _Body:
    """Counts what comes in. To the application a body beyond the limit looks like a caller who has gone."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._left = receive, send, limit
        self.exceeded = self.answered = False

    async def receive(self) -> Message:
        if not self.exceeded:
            message = await self._receive()
            self._left -= len(message.get("body", b""))
            self.exceeded = self._left < 0
        return {"type": "http.disconnect"} if self.exceeded else message

    async def send(self, message: Message) -> None:
        self.answered = True
        await self._send(message)


def _announced(scope: Mapping[str, Any]) -> int | None:
    """The announced length; None where there is none that can be read."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else None


def _request(scope: Mapping[str, Any]) -> ASGIRequest:
    headers = [(name, value) for name, value in scope["headers"] if name not in BODY_HEADERS]
    return ASGIRequest({**scope, "headers": headers}, io.BytesIO())


async def _refusal(scope: Mapping[str, Any], door: Door, found: Mapping[str, str]) -> HttpResponse | None:
    # In a thread of its own: the one that stands behind sockets and other loops would make senders wait for each other.
    return await database_sync_to_async(_asked, thread_sensitive=False)(scope, door, found)


def _asked(scope: Mapping[str, Any], door: Door, found: Mapping[str, str]) -> HttpResponse | None:
    """The answer to a sender who is surely nobody; None lets the request through."""
    request = _request(scope)
    try:
        with translation.override(translation.get_language_from_request(request)):
            door.proof(request, found)
    except (NotAuthenticated, AuthenticationFailed) as error:
        return _problem(scope, error)
    except DatabaseError:
        # Nobody can be asked now: the view says that, as everywhere.
        return None
    return None


def _too_large(scope: Mapping[str, Any]) -> HttpResponse:
    with translation.override(translation.get_language_from_request(_request(scope))):
        return _problem(scope, TooLarge(_("The request is too large.")))


def _problem(scope: Mapping[str, Any], error: DomainError | AuthenticationFailed) -> HttpResponse:
    answer = exception_handler(error, {})
    assert answer is not None, "both kinds are known to it"
    del answer.headers["Content-Type"]
    return JsonResponse(answer.data, status=answer.status_code, content_type=CONTENT_TYPE, headers=answer.headers)


async def answer(response: HttpResponse, send: Send) -> None:
    response.headers["Content-Length"] = str(len(response.content))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
