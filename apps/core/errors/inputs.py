"""What Django's own validation finds, as the error that every edge shows."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.core.errors import Invalid


def invalid_of(error: ValidationError, field: str = "") -> Invalid:
    """The domain error that says the same; `field` is the input of an error that names none (a password's)."""
    fields = error.message_dict if hasattr(error, "error_dict") else {field: error.messages}
    return Invalid(_("The input is not valid."), fields=fields)
