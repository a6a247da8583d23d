"""Numbers and ids in the query of an address."""

import math
import re
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request

from apps.core.errors import Invalid

# Python itself also reads `1_000`, digits of other scripts, and spaces around them, which a `+` in an address is.
WHOLE = re.compile(r"-?[0-9]{1,30}")
DECIMAL = re.compile(r"-?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,4})?")


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """The whole number that is given, moved into the range `low` … `high`; `default` where none is. Raises `Invalid`
    for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not WHOLE.fullmatch(text):
        raise _invalid(name, _("Not a whole number."))
    return max(low, min(high, int(text)))


def number(request: Request, name: str) -> float | None:
    """A finite number, None where none is given. Raises `Invalid` for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return None
    value = float(text) if DECIMAL.fullmatch(text) else math.nan
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
