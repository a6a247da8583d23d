"""Errors of the REST edge as `application/problem+json` (RFC 9457) with `code`, `hint` and `errors`."""

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import DomainError
from apps.core.policy import outside_scope

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"


def problem(
    status: int,
    code: str,
    detail: Any,
    *,
    hint: Any = "",
    errors: dict[str, list[Any]] | None = None,
    params: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of an error answer."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "detail": str(detail)}
    body["hint"] = str(hint)
    body["errors"] = {name: [str(message) for message in messages] for name, messages in (errors or {}).items()}
    if params:
        body["params"] = params
    return body


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. What it does not know becomes Django's own 500."""
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        body = problem(
            error.status, error.code, error.message, hint=error.hint, errors=error.fields, params=error.params
        )
        if "retry_after" in error.params:
            headers["Retry-After"] = str(error.params["retry_after"])
    elif isinstance(error, exceptions.ValidationError):
        body = problem(400, "invalid", _("The input is not valid."), errors=_flatten(error.detail))
    elif isinstance(error, ModelValidationError):
        messages = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        body = problem(400, "invalid", _("The input is not valid."), errors=messages)
    elif isinstance(error, Http404):
        body = problem(404, "not_found", _("There is nothing here that you can see."))
    elif isinstance(error, PermissionDenied):
        body = problem(403, "forbidden", _("You may not do this."))
    elif isinstance(error, DataError):
        # A moment beyond every calendar, a NUL in a text: the database can neither store nor compare it.
        log.warning("refused by the database: %s", error)
        body = problem(400, "invalid", _("The input is not valid."))
    elif isinstance(error, RequestDataTooBig):
        body = problem(413, "too_large", _("The request is too large."))
    elif isinstance(error, exceptions.APIException):
        code = error.get_codes() if isinstance(error.get_codes(), str) else error.default_code
        body = problem(error.status_code, str(code), error.detail)
        if getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
        if getattr(error, "wait", None):
            headers["Retry-After"] = str(math.ceil(error.wait))  # type: ignore[attr-defined]
    if body is None:
        return None
    body = _of_key(body, context.get("request"))
    if body["status"] == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    set_rollback()
    return Response(body, status=body["status"], content_type=CONTENT_TYPE, headers=headers)


def _of_key(body: dict[str, Any], request: Any) -> dict[str, Any]:
    """The answer to an API key: where it lacks a permission that was asked for, "not found" says so. Nothing is told by
    it about objects: a key without the permission gets it for every id."""
    actor = getattr(request, "actor", None)
    if body["status"] != 404 or actor is None or actor.scopes is None or not actor.missed:
        return body
    refusal = outside_scope(actor.missed)
    return problem(refusal.status, refusal.code, refusal.message, hint=refusal.hint, params=refusal.params)


def problem_response(status: int, code: str, detail: Any, **more: Any) -> JsonResponse:
    """For the places under `/api/` that DRF does not reach (unknown path, crash, middleware)."""
    return JsonResponse(problem(status, code, detail, **more), status=status, content_type=CONTENT_TYPE)


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[Any]]:
    """Nested error details as `{"items.0.name": [...]}`."""
    if isinstance(detail, dict):
        found: dict[str, list[Any]] = {}
        for key, value in detail.items():
            found.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        found = {}
        for number, value in enumerate(detail):
            if value:
                found.update(_flatten(value, f"{prefix}.{number}" if prefix else str(number)))
        return found
    messages = detail if isinstance(detail, list) else [detail]
    return {prefix or "detail": messages}
