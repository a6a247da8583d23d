"""A request as it reaches the views of the REST API, for type checkers."""

from rest_framework.request import Request

from apps.core.identity import Actor


class ApiRequest(Request):
    """Never instantiated: REST framework makes the request, and passes these on from the one it wraps."""

    actor: Actor
    request_id: str
