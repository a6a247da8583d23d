"""Helpers of portal views."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import DomainError

PAGE_SIZE = 25
M = TypeVar("M", bound=Model)


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Asks for sign-in, and shows a page of its own to people who belong to no organization yet."""

    @login_required
    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.actor.organization_id is None and not request.actor.is_platform_admin:
            return render(request, "organizations/none.html")
        return view(request, *args, **kwargs)

    return guarded


class _Counted(Paginator):
    """Counts at most `LIMIT` rows: an exact number of a million helps nobody and costs a scan."""

    LIMIT = 10_000

    @functools.cached_property
    def count(self) -> int:  # type: ignore[override]
        return self.object_list[: self.LIMIT].count()


def page_of(request: HttpRequest, rows: QuerySet[M], size: int = PAGE_SIZE) -> Page:
    """The page that `?page=` names; an unreadable or too large number gives the nearest page."""
    return _Counted(rows, size).get_page(request.GET.get("page"))


@contextmanager
def form_errors(form: BaseForm) -> Iterator[None]:
    """Turns a domain error raised inside into errors of the form."""
    try:
        yield
    except DomainError as error:
        for name, messages in error.fields.items():
            for message in messages:
                form.add_error(name if name in form.fields else None, message)
        if not error.fields:
            form.add_error(None, error.message)
        if error.hint:
            form.add_error(None, error.hint)
    except ValidationError as error:
        form.add_error(None, error)
