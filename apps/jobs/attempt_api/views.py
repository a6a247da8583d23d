"""HTTP of the attempt protocol (docs/architecture/attempt-protocol.md): plain views, no session, one token."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.core.api.problems import CONTENT_TYPE, problem
from apps.core.api.streaming import StreamedResponse
from apps.core.errors import DomainError, NotAuthenticated, NotFound
from apps.core.storage import ObjectNotFound, results
from apps.core.storage.keys import blob_key
from apps.jobs.kinds import kind_of
from apps.jobs.models import Attempt
from apps.jobs.services import attempts, ingest
from apps.jobs.services.ingest import Malformed

# Two of the launcher's longest lines (4 MiB each), with what JSON adds around them.
MAX_BODY = 16 * 1024 * 1024
NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}")
AttemptView = Callable[..., HttpResponseBase]


def attempt_view(*methods: str) -> Callable[[AttemptView], Any]:
    """Authenticates the token, and answers domain errors as problem+json."""

    def wrap(view: AttemptView) -> Any:
        @csrf_exempt
        @require_http_methods(list(methods))
        def guarded(request: HttpRequest, pk: UUID, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, attempts.authenticate(pk, attempt_token(request)), **kwargs)
            except DomainError as error:
                body = problem(error.status, error.code, error.message, params=error.params)
                # `acked`, `missing`: the protocol has them beside the code.
                answer = {**body, **error.params}
                return JsonResponse(answer, status=error.status, content_type=CONTENT_TYPE)
            except DataError:
                # A launcher repeats what crashes us for ever; what cannot be stored is refused for good.
                body = problem(422, Malformed.code, "The database cannot store this.")
                return JsonResponse(body, status=422, content_type=CONTENT_TYPE)

        return guarded

    return wrap


@attempt_view("POST")
def hello(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    body = _body(request)
    nonce = body.get("nonce")
    if not isinstance(nonce, str) or not NONCE.fullmatch(nonce):
        raise Malformed("The nonce is not valid.")
    answer = attempts.attempt_hello(attempt=attempt, nonce=nonce, recovering=body.get("recovering") is True)
    return JsonResponse(answer)


@attempt_view("POST")
def heartbeat(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    return JsonResponse(attempts.attempt_heartbeat(attempt=attempt))


@attempt_view("POST")
def events(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    body = _body(request)
    lines = body.get("events")
    if not isinstance(lines, list):
        raise Malformed("`events` must be a list.")
    done = ingest.events_append(attempt=attempt, stream=str(body.get("stream")), lines=lines)
    return JsonResponse({"acked": done.acked, "lease_until": done.lease_until, "commands": done.commands})


@attempt_view("POST")
def logs(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    content = request.read(ingest.MAX_LOG_PIECE + 1)
    offset, asked = ingest.log_append(attempt=attempt, offset=_integer(request, "offset"), content=content)
    return JsonResponse({"offset": offset, "commands": asked})


@attempt_view("PUT")
def files(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    ingest.file_store(
        attempt=attempt,
        kind=request.GET.get("kind", ""),
        name=request.GET.get("name", ""),
        sha256=request.GET.get("sha256", ""),
        size=_integer(request, "size"),
        stream=request,  # type: ignore[arg-type]
    )
    return JsonResponse({"stored": True})


@attempt_view("GET")
def dataset(request: HttpRequest, attempt: Attempt) -> StreamedResponse:
    lines = kind_of(attempt.job).dataset_lines
    if lines is None:
        raise NotFound()

    def stream() -> Iterator[str]:
        for line in lines(attempt.job):
            yield f"{line}\n"

    response = StreamedResponse(stream(), content_type="application/x-ndjson")
    response.keeps_connection = True
    return response


@attempt_view("GET")
def blob(request: HttpRequest, attempt: Attempt, sha256: str) -> StreamedResponse:
    if not ingest.SHA256.fullmatch(sha256) or not kind_of(attempt.job).may_read_blob(attempt.job, sha256):
        raise NotFound()
    try:
        chunks = results().open(blob_key(attempt.job.organization_id, sha256))
    except ObjectNotFound as error:
        raise NotFound() from error
    return StreamedResponse(chunks, content_type="application/octet-stream")


@attempt_view("POST")
def end(request: HttpRequest, attempt: Attempt) -> HttpResponse:
    body = _body(request)
    state = attempts.attempt_end(
        attempt=attempt,
        exit_code=_optional_integer(body, "exit_code"),
        signal=_optional_integer(body, "signal"),
        reason=str(body.get("reason") or "")[:60],
        params=body["params"] if isinstance(body.get("params"), dict) else {},
        last_seq=_last_seq(body),
        log_bytes=_optional_integer(body, "log_bytes") or 0,
    )
    return JsonResponse({"state": state})


def attempt_token(request: HttpRequest) -> str:
    """The token that a request carries. Raises `NotAuthenticated`."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Attempt" or not token:
        raise NotAuthenticated("The attempt's token is missing.", code="token_invalid")
    return token


def _body(request: HttpRequest) -> dict[str, Any]:
    content = request.read(MAX_BODY + 1)
    try:
        body = json.loads(content) if len(content) <= MAX_BODY else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Malformed("The body must be a JSON object of at most 16 MiB.")
    return body


def _integer(request: HttpRequest, name: str) -> int:
    value = request.GET.get(name, "")
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise Malformed(f"`{name}` must be a whole number.")
    return int(value)


def _last_seq(body: dict[str, Any]) -> dict[str, int]:
    last = body.get("last_seq")
    if not isinstance(last, dict) or not all(isinstance(value, int) for value in last.values()):
        raise Malformed("`last_seq` must name the last number of each stream.")
    return last


def _optional_integer(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else None
