"""Numbers and ids in the query of an address."""

import math
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request

from apps.core.errors import Invalid


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number, moved into the range `low` … `high`. Raises `Invalid` for anything else."""
    try:
        value = int(request.query_params.get(name, default))
    except ValueError as error:
        raise _invalid(name, _("Not a whole number.")) from error
    return max(low, min(high, value))


def number(request: Request, name: str) -> float | None:
    """A finite number, None where none is given. Raises `Invalid` for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _invalid(name, _("Not a number."))
    return value


def identifier(request: Request, name: str) -> UUID | None:
    """An id, None where none is given. Raises `Invalid` for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise _invalid(name, _("Not an id.")) from error


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(message, fields={name: [message]})
