"""The catalogues of now, for texts in two languages."""

from tests.pages.conftest import catalogues, page_of  # noqa: F401
