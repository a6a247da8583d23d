"""Answers for what no view answered: problem+json under `/api/`, pages elsewhere."""

import sys
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from apps.core.api.problems import problem_response
from apps.core.errors import Unavailable
from apps.core.errors.outages import outage_of


def _answer(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problem_response(status, code, detail)
    return render(request, f"{status}.html", {"detail": detail}, status=status)


class MethodPageMiddleware:
    """An address that only takes what a form sends, asked for as a page: says so where Django answers nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if answer.status_code != 405 or request.method != "GET" or request.path.startswith("/api/"):
            return answer
        page = render(request, "405.html", status=405)
        page["Allow"] = answer["Allow"]
        return page


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 400, "invalid", _("The request cannot be understood."))


def permission_denied(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 403, "forbidden", _("You may not do this."))


def page_not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 404, "not_found", _("There is nothing here that you can see."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled, wherever it came from: a view, the admin, REST, a middleware."""
    outage = outage_of(sys.exc_info()[1])
    if outage is not None:
        return _unavailable(request, outage)
    return _answer(request, 500, "internal", _("Something broke on our side; it has been logged."))


def _unavailable(request: HttpRequest, outage: Unavailable) -> HttpResponse:
    """Asks the database nothing more: every question would wait as long again."""
    if request.path.startswith("/api/"):
        answer: HttpResponse = problem_response(
            outage.status, outage.code, outage.message, hint=outage.hint, params=outage.params
        )
    else:
        again = request.get_full_path() if request.method == "GET" else "/"
        page = render_to_string("503.html", {"error": outage, "again": again, "theme": request.COOKIES.get("theme")})
        answer = HttpResponse(page, status=outage.status)
    answer["Retry-After"] = str(outage.params["retry_after"])
    return answer


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's sign-in; who is signed in already and not on its staff is told so instead of being asked again."""
    if request.user.is_authenticated and not request.user.is_staff:
        return render(request, "403_admin.html", {"name": request.user}, status=403)
    return admin.site.login(request)


@csrf_exempt
def api_not_found(request: HttpRequest, rest: str) -> HttpResponse:
    return problem_response(404, "not_found", _("There is nothing here that you can see."))
