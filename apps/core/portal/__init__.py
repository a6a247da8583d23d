"""What every portal page shares: sign-in required, one page of rows, domain errors shown in a form."""

from apps.core.portal.views import form_errors, page_of, search_of, signed_in

__all__ = ["form_errors", "page_of", "search_of", "signed_in"]
