"""Answers for what no view answered: problem+json under `/api/`, pages elsewhere."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from apps.core.api.problems import problem_response


def _answer(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problem_response(status, code, detail)
    return render(request, f"{status}.html", {"detail": detail}, status=status)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 400, "invalid", _("The request cannot be understood."))


def permission_denied(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 403, "forbidden", _("You may not do this."))


def page_not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 404, "not_found", _("There is nothing here that you can see."))


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500, "internal", _("Something broke on our side; it has been logged."))


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's sign-in; who is signed in already and not on its staff is told so instead of being asked again."""
    if request.user.is_authenticated and not request.user.is_staff:
        return render(request, "403_admin.html", {"name": request.user}, status=403)
    return admin.site.login(request)


@csrf_exempt
def api_not_found(request: HttpRequest, rest: str) -> HttpResponse:
    return problem_response(404, "not_found", _("There is nothing here that you can see."))
