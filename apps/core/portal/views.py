"""Sign-in, pages of rows, and domain errors on portal pages."""

import functools
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.core.errors import DomainError, Forbidden, NotAuthenticated, NotFound
from apps.core.identity.requests import PortalRequest

PAGE_SIZE = 25
SEARCH_CHARACTERS = 200
M = TypeVar("M", bound=Model)


def signed_in(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Asks for sign-in, and shows a page of its own to people who belong to no organization yet."""

    @login_required
    @functools.wraps(view)
    def guarded(request: PortalRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.actor.lacks_factor:
            messages.warning(request, _("This organization demands a second factor. Set one up to go on."))
            return redirect("mfa_index")
        if request.actor.organization_id is None and not request.actor.is_platform_admin:
            return render(request, "organizations/none.html")
        return view(request, *args, **kwargs)

    return guarded


def search_of(request: PortalRequest) -> str:
    """What `?q=` searches for; a NUL, which no name has, is left out."""
    return request.GET.get("q", "").replace("\0", "").strip()[:SEARCH_CHARACTERS]


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """A page of a list ordered by id, newest first, with what `components/pagination.html` shows."""

    rows: list[Any]
    next_cursor: str | None
    previous_cursor: str | None
    total: None = None

    @property
    def shown(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def page_of(request: PortalRequest, rows: QuerySet[M], size: int = PAGE_SIZE) -> KeysetPage:
    """The page that `?cursor=` names: as fast at the millionth row as at the first, and stable while rows are added.

    A cursor is an id, with `-` before it for the page above. One that cannot be read gives the first page.
    """
    cursor, upward = request.GET.get("cursor", ""), False
    if cursor.startswith("-"):
        cursor, upward = cursor[1:], True
    try:
        limit = rows.model._meta.pk.to_python(cursor) if cursor else None
    except ValidationError:
        limit = None
    if limit is None:
        found = list(rows.order_by("-pk")[: size + 1])
        return KeysetPage(found[:size], _cursor(found, size), None)
    if upward:
        found = list(rows.filter(pk__gt=limit).order_by("pk")[: size + 1])
        shown = found[:size][::-1]
        above = f"-{shown[0].pk}" if len(found) > size else None
        return KeysetPage(shown, str(shown[-1].pk) if shown else None, above)
    found = list(rows.filter(pk__lt=limit).order_by("-pk")[: size + 1])
    return KeysetPage(found[:size], _cursor(found, size), f"-{found[0].pk}" if found else None)


def _cursor(found: list[Any], size: int) -> str | None:
    return str(found[size - 1].pk) if len(found) > size else None


@contextmanager
def form_errors(form: BaseForm, beside: Collection[str] = ()) -> Iterator[None]:
    """Turns a domain error raised inside into errors of the form.

    What is wrong with inputs named in `beside` the page itself shows by them.
    """
    try:
        yield
    except DomainError as error:
        told = {name: texts for name, texts in error.fields.items() if name not in beside}
        for name, texts in told.items():
            for text in texts:
                form.add_error(name if name in form.fields else None, text)
        if not error.fields or len(told) < len(error.fields):
            form.add_error(None, error.message)
        if error.hint:
            form.add_error(None, error.hint)
    except ValidationError as error:
        form.add_error(None, error)


@contextmanager
def error_messages(request: PortalRequest) -> Iterator[None]:
    """Turns a domain error raised inside into a message of the next page, for buttons that have no form to show it.

    What the policy hides or forbids gets its page as everywhere.
    """
    try:
        yield
    except DomainError as error:
        if error.code in {NotFound.code, Forbidden.code, NotAuthenticated.code}:
            raise
        messages.error(request, " ".join(str(text) for text in (error.message, error.hint) if text))


def with_notice(response: HttpResponse, text: str, level: str = "success") -> HttpResponse:
    """The part of a page that htmx swaps in, with a notice of what was done."""
    response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "level": level}})
    return response
