"""Errors of the domain. Services raise them; only the edges know what they mean in HTTP, in a form or on a page."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """Something was asked that cannot be done.

    `code` is stable and for programs, `message` says what is wrong, `hint` what to do, `fields` maps the name of an
    input to what is wrong with it, `params` holds facts that a program may want.
    """

    status = 400
    code = "invalid"

    def __init__(
        self,
        message: Any,
        *,
        code: str | None = None,
        hint: Any = "",
        fields: Mapping[str, list[Any]] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.hint = hint
        self.fields = dict(fields or {})
        self.params = dict(params or {})


class Invalid(DomainError):
    """The input is wrong."""


class NotAuthenticated(DomainError):
    status = 401
    code = "not_authenticated"


class Forbidden(DomainError):
    """The object may be seen, but this may not be done with it."""

    status = 403
    code = "forbidden"


class NotFound(DomainError):
    """Absent or hidden: the two look the same."""

    status = 404
    code = "not_found"

    def __init__(self, message: Any = "", **options: Any) -> None:
        super().__init__(message or _("There is nothing here that you can see."), **options)


class Conflict(DomainError):
    """Right in itself, but not in the present state."""

    status = 409
    code = "conflict"


class PreconditionFailed(DomainError):
    status = 412
    code = "changed_meanwhile"


class TooLarge(DomainError):
    status = 413
    code = "too_large"


class Unprocessable(DomainError):
    """Understood, and contradicting what was said before."""

    status = 422
    code = "unprocessable"


class TooManyRequests(DomainError):
    """Too often; `params["retry_after"]` says in how many seconds again, where it is known."""

    status = 429
    code = "too_many_requests"


class Unavailable(DomainError):
    """A part that this needs does not answer; trying again later may help."""

    status = 503
    code = "unavailable"


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `Invalid` that names every field of `given` that an operation does not take."""
    if unknown := set(given) - set(known):
        raise Invalid(_("The input is not valid."), fields={name: [_("Unknown field.")] for name in sorted(unknown)})
