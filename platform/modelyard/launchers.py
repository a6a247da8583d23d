"""The calls that launchers make all the time, past everything that serves people.

A launcher sends up to four batches of events a second for as long as its training runs, with a token of its own: no
cookie, no language, no page. Django's usual way takes a request through every middleware and changes the thread at
each signal; here one function in one thread answers, with the same view.
"""

import io
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.core.signals import request_finished, request_started
from django.http import HttpResponse

from apps.core.api.middleware import RequestContextMiddleware
from apps.jobs.attempt_api import views
from modelyard.bodies import ATTEMPT, Application, Receive, Send, answer

CALL = re.compile(f"{ATTEMPT}/(?P<call>events|heartbeat)")
VIEWS: dict[str, Callable[..., Any]] = {"events": views.events, "heartbeat": views.heartbeat}


class LauncherCalls:
    """Stands in front of Django's application, behind the limits of bodies, and takes the calls in `VIEWS`."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        found = CALL.fullmatch(scope["path"])
        if found is None:
            await self.application(scope, receive, send)
            return
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        else:
            return  # the caller has gone
        respond = sync_to_async(_respond, thread_sensitive=False)
        await answer(await respond(scope, bytes(body), UUID(found["attempt"]), VIEWS[found["call"]]), send)


def _respond(scope: dict[str, Any], body: bytes, attempt_id: UUID, view: Callable[..., Any]) -> HttpResponse:
    def call(request: Any) -> HttpResponse:
        found: HttpResponse = view(request, pk=attempt_id)
        return found

    # Django's own listeners give the database connection back to the pool.
    request_started.send(sender=LauncherCalls, scope=scope)
    try:
        request: Any = ASGIRequest(scope, io.BytesIO(body))
        guarded: Any = convert_exception_to_response(call)
        return RequestContextMiddleware(guarded)(request)
    finally:
        request_finished.send(sender=LauncherCalls)
