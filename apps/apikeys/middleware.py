"""What every request to the REST API passes: counted, told its limits, and answered once however often it is sent."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed

from apps.apikeys.endpoints import endpoint_of
from apps.apikeys.latency import step_of
from apps.apikeys.models import ApiKey
from apps.apikeys.services.idempotency import (
    Answer,
    idempotent_request_begin,
    idempotent_request_finish,
    idempotent_request_forget,
)
from apps.apikeys.services.keys import outside_scope_note
from apps.apikeys.services.usage import call_note
from apps.core import policy
from apps.core.api import PREFIX
from apps.core.api.authentication import SCHEMES, actor_of_token
from apps.core.api.problems import problem_response
from apps.core.errors import DomainError, Invalid, TooLarge
from apps.core.identity import Actor
from apps.core.identity.requests import PortalRequest

GetResponse = Callable[[Any], HttpResponse]
#: Answers after which the same request may have another one.
PASSING = frozenset({401, 408, 409, 423, 425, 429})
LONGEST_NAME = 255
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Cache-Control")


def known_actor(request: HttpRequest) -> Actor | None:
    """The request's actor if one was made for it; asks the database nothing."""
    actor = getattr(request, "actor", None)
    # `ActorMiddleware` sets one that is made on first use.
    made = vars(actor).get("_wrapped") if actor is not None and type(actor) is not Actor else actor
    return made if isinstance(made, Actor) and made.is_authenticated else None


class ApiTrafficMiddleware:
    """Counts calls, errors and durations of each endpoint, writes the headers of the limits, and notes keys that were
    used outside their scope."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponse:
        if not request.path.startswith(PREFIX):
            return self.get_response(request)
        begin = time.perf_counter()
        response = self.get_response(request)
        actor = known_actor(request)
        _tell_limits(request, response)
        if actor is not None and actor.key_id is not None and response.status_code in {403, 404}:
            _note_refusal(request, response, actor)
        endpoint = endpoint_of(request)
        if endpoint is not None:
            call_note(
                organization_id=actor.organization_id if actor else None,
                key_id=actor.key_id if actor else None,
                endpoint=endpoint,
                status=response.status_code,
                step=step_of((time.perf_counter() - begin) * 1000),
            )
        return response


def _tell_limits(request: HttpRequest, response: HttpResponseBase) -> None:
    """`RateLimit-*` of the limit that is tightest, and all that apply in `RateLimit-Policy`."""
    found = getattr(request, "rate_limits", None)
    if found is None:
        return
    allowance, subjects = found
    response["RateLimit-Limit"] = str(allowance.limit)
    response["RateLimit-Remaining"] = str(allowance.remaining)
    response["RateLimit-Reset"] = str(allowance.reset)
    response["RateLimit-Policy"] = ", ".join(f'{limit};w=60;name="{kind}"' for kind, _id, limit in subjects)


def _note_refusal(request: HttpRequest, response: Any, actor: Actor) -> None:
    """The audit event of a key that asked for what it was not given: a permission, or an object of another project."""
    code = response.data.get("code") if isinstance(getattr(response, "data", None), dict) else ""
    lacking = sorted(actor.missed) if code == "outside_scope" else _elsewhere(response, actor)
    if code != "outside_scope" and not lacking:
        return
    key = ApiKey.objects.get(pk=str(actor.key_id))
    outside_scope_note(
        actor=actor.without_scopes(),
        key=key,
        request=f"{request.method} {request.path}"[:300],
        lacking=lacking,
        status=response.status_code,
    )


def _elsewhere(response: Any, actor: Actor) -> list[str]:
    """`["project"]` where the object that the address names is one that the owner may see and the key may not."""
    view = getattr(response, "renderer_context", {}).get("view") if actor.projects is not None else None
    model: Any = getattr(getattr(view, "queryset", None), "model", None)
    pk = view.kwargs.get("pk") if view is not None else None
    if pk is None or model is None:
        return []
    name = f"{model._meta.app_label}.view_{model._meta.model_name}"
    if not policy.is_ruled(name):
        return []
    whole = Actor.of(actor.user, organization_id=actor.organization_id, narrow=True)  # type: ignore[arg-type]
    try:
        seen = model._default_manager.filter(policy.condition(whole, name), pk=pk).exists()
    except (ValueError, TypeError, DomainError):
        return []
    return ["project"] if seen else []


class IdempotencyMiddleware:
    """`Idempotency-Key` on POST: the same key with the same request gets the answer of the first one within a day.

    Stands behind whatever finds out who sends the request. Requests that do not prove it are left to the view, which
    refuses them; so are the doors that are open to everybody.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponse:
        response = self.get_response(request)
        row_id = getattr(request, "idempotent_row", None)
        if row_id is not None:
            _keep(row_id, response)
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        name = request.headers.get("Idempotency-Key")
        if name is None or request.method != "POST" or not request.path.startswith(PREFIX):
            return None
        if not getattr(getattr(view, "cls", None), "authentication_classes", ()):
            return None
        try:
            actor = _actor(request)
            if actor is None or actor.user_id is None:
                return None
            fingerprint = _fingerprint(request, actor, name)
            row_id, answer = idempotent_request_begin(actor=actor, name=name, fingerprint=fingerprint)
        except AuthenticationFailed:
            return None
        except DomainError as error:
            return problem_response(error.status, error.code, error.message, hint=error.hint, errors=error.fields)
        if answer is None:
            request.idempotent_row = row_id
            return None
        replayed = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
        replayed["Idempotency-Replayed"] = "true"
        return replayed


def _actor(request: Any) -> Actor | None:
    """Who sends the request, by the ways of `apps.core.api.authentication`."""
    scheme, _space, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() in SCHEMES:
        return actor_of_token(token.strip(), request_id=request.request_id, ip=None, user_agent="")
    return request.actor if request.user.is_authenticated else None


def _fingerprint(request: Any, actor: Actor, name: str) -> str:
    if not 0 < len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
        message = _("1 to 255 printable ASCII characters.")
        raise Invalid(message, code="idempotency_key_invalid", fields={"Idempotency-Key": [message]})
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise TooLarge(
            _("With an Idempotency-Key a body may not be larger than %(limit)s MiB.")
            % {"limit": settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20}
        )
    parts = (request.get_full_path(), str(actor.organization_id), request.content_type or "")
    return sha256("\n".join(parts).encode() + b"\n" + request.body).hexdigest()


def _keep(row_id: int, response: HttpResponse) -> None:
    if response.streaming or response.status_code >= 500 or response.status_code in PASSING:
        idempotent_request_forget(row_id=row_id)
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    idempotent_request_finish(row_id=row_id, answer=Answer(response.status_code, headers, response.content))
