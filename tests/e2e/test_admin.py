"""The admin in a browser: the portal's theme, and lists that a phone can read."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People
from tests.e2e.visitors import PASSWORD, Visitor

pytestmark = pytest.mark.e2e
LONG = "somebody-with-a-rather-long-name-at-a-subsidiary-of-the-company"


def _overflowing(visitor: Visitor) -> list[str]:
    """Values of the list that are higher than their line."""
    script = "cells => cells.filter(cell => cell.scrollHeight > cell.clientHeight + 1).map(cell => cell.innerText)"
    found: list[str] = visitor.page.locator("#result_list tbody :is(td, th)").evaluate_all(script)
    return found


def test_the_admin_is_drawn_in_the_theme_of_the_portal_and_gives_its_own_back(visit: Any, people: People) -> None:
    email = people.address(LONG)
    people.portal.command("createsuperuser", "--noinput", "--email", email, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    visitor: Visitor = visit(theme="dark", width=390)
    visitor.sign_in(email, PASSWORD)
    page = visitor.page
    # A long value in the column that leads to the row, and in another.
    for path in ("/admin/account/emailaddress/", "/admin/accounts/user/"):
        visitor.go(path)
        expect(page.locator("html.dark")).to_be_visible()
        expect(page.locator("#result_list")).to_contain_text(email)
        assert _overflowing(visitor) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.keyboard.press("Control+e")
    expect(page.locator("html.light")).to_be_visible()
    visitor.go("/profile/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    visitor.go("/admin/accounts/user/")
    expect(page.locator("html.light")).to_be_visible()
    assert visitor.complaints == []
