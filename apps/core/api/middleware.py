"""Connections given back, request ids, and domain errors turned into pages."""

import logging
import re
from collections.abc import Callable

from django.core.handlers.asgi import ASGIRequest
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.connections import release_connection
from apps.core.entities.ids import uuid7
from apps.core.errors import DomainError
from apps.core.errors.conflicts import conflict_of
from apps.core.identity.requests import PortalRequest

log = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"^[A-Za-z0-9_.-]{8,64}$")


class ReleaseConnectionMiddleware:
    """Keeps no connection of the database while the answer is sent, which lasts as long as its reader likes.

    Stands before all others: they may write something down after the view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Other servers, and tests, end a request in the thread that goes on with it.
        if isinstance(request, ASGIRequest):
            release_connection()
        return response


class RequestContextMiddleware:
    """Takes `X-Request-ID` when it is well-formed, makes one otherwise, and returns it."""

    def __init__(self, get_response: Callable[[PortalRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.request_id = given if REQUEST_ID.match(given) else uuid7().hex
        response = self.get_response(request)
        response["X-Request-ID"] = request.request_id
        return response


class DomainErrorMiddleware:
    """Draws a page for a domain error that a portal view let through; REST has its own handler.

    A value that the database can neither store nor compare (a NUL in a search) is the request's fault too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DataError):
            log.warning("refused by the database: %s", exception)
            return render(request, "400.html", status=400)
        if isinstance(exception, IntegrityError):
            # A library's own write; ours are operations, which say it themselves.
            exception = conflict_of(exception) or exception
        if not isinstance(exception, DomainError):
            return None
        status = exception.status
        template = f"{status}.html" if status in {403, 404} else "400.html"
        return render(request, template, {"error": exception}, status=status)
