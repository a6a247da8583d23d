"""A request as it reaches the portal's views, for type checkers: what the middleware has set on it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from apps.core.identity.actor import Actor


class PortalRequest(HttpRequest):
    """Never instantiated: Django makes the request, `ActorMiddleware` and its neighbours set these."""

    actor: Actor
    request_id: str
    htmx: HtmxDetails
