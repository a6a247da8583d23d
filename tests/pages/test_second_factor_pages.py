"""The pages of second factors: whole in both languages, and nothing inline."""

import re

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.template.loader import render_to_string
from django.utils.translation import override

from apps.core.testing import PortalClient
from tests.accounts.conftest import app_of, clock  # noqa: F401 - fixtures
from tests.factories.accounts import PASSWORD

PAGES = (
    "/account/second-factor/",
    "/account/second-factor/totp/activate/",
    "/account/second-factor/webauthn/",
    "/account/second-factor/webauthn/add/",
    "/account/second-factor/recovery-codes/",
    "/account/second-factor/recovery-codes/generate/",
    "/account/second-factor/totp/deactivate/",
    "/account/second-factor/reauthenticate/",
)


def signed_in(user):
    """With the password, given twice as the pages ask for it."""
    client = PortalClient()
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages_are_in_the_persons_language_and_have_nothing_inline(
    language,
    cast,
    app_of,  # noqa: F811
    catalogues,
    page_of,
):
    user = cast.owner.user
    client = signed_in(user)
    client.cookies["django_language"] = language
    for number, path in enumerate(PAGES):
        if number == 4:
            app_of(user)
            RecoveryCodes.activate(user)
        page = page_of(client.get(path))
        assert (path, page.status, page.language, page.inline) == (path, 200, language, [])
        if language == "ko":
            latin = [word for word in page.words if re.fullmatch(r"[A-Za-z ,.']{12,}", word)]
            assert latin == [], path


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_that_asks_for_the_code_is_in_the_persons_language(
    language,
    cast,
    app_of,  # noqa: F811
    catalogues,
    page_of,
):
    app_of(cast.owner.user)
    client = signed_in(cast.owner.user)
    client.cookies["django_language"] = language
    page = page_of(client.get("/account/second-factor/authenticate/"))
    assert (page.status, page.language, page.inline) == (200, language, [])


def test_what_is_said_of_recovery_codes_is_true_of_the_first_ones_too():
    """allauth says the same of the first and of later ones."""
    # A test before may have left its thread in another language.
    with override("en"):
        said = render_to_string("mfa/messages/recovery_codes_generated.txt").lower()
    assert "recovery codes were made" in said
    assert not any(word in said.split() for word in ("new", "old", "previous"))
