"""What every portal page shares: sign-in required, one page of rows, domain errors shown in a form or as a message;
choices among any number of rows; tabs."""

from apps.core.portal.choices import PersonChoiceField, RowChoiceField
from apps.core.portal.tabs import shown_tabs
from apps.core.portal.views import error_messages, form_errors, page_of, search_of, signed_in, with_notice

__all__ = [
    "PersonChoiceField",
    "RowChoiceField",
    "error_messages",
    "form_errors",
    "page_of",
    "search_of",
    "shown_tabs",
    "signed_in",
    "with_notice",
]
