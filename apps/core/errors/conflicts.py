"""What the database refuses because two asked for the same at once, in the words of the domain's errors."""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import IntegrityError
from django.db.models import UniqueConstraint
from django.utils.translation import gettext as _

from apps.core.errors import Conflict

# SQLSTATE of a broken unique constraint.
UNIQUE_VIOLATION = "23505"


def conflict_of(error: IntegrityError) -> Conflict | None:
    """The conflict behind a broken unique constraint, in the constraint's own words; None for every other breach."""
    cause: Any = error.__cause__
    if getattr(cause, "sqlstate", None) != UNIQUE_VIOLATION:
        return None
    message = _messages().get(cause.diag.constraint_name or "")
    return Conflict(
        message or _("Somebody else did the same a moment ago."),
        code="taken_meanwhile",
        hint=_("Load it again and repeat the change."),
    )


@cache
def _messages() -> dict[str, Any]:
    """Name of a unique constraint → what it says to people."""
    return {
        constraint.name: constraint.violation_error_message
        for model in apps.get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint)
        and constraint.violation_error_message != UniqueConstraint.default_violation_error_message
    }
