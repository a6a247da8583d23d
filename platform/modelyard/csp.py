"""The admin's and Swagger's own content security policy: their libraries need inline styles and `eval`."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

RELAXED = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PREFIXES = ("/admin/", "/api/docs/")


class RelaxedPolicyMiddleware:
    """Sets the relaxed policy on the excluded prefixes, so that they have one all the same."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(PREFIXES):
            response["Content-Security-Policy"] = RELAXED
        return response
