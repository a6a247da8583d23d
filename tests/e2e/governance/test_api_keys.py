"""An API key: made on the page, used by a program, rotated, revoked; and the list of what was called."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e


def secret_on(window: Window) -> str:
    """What the page shows once."""
    window.reads("This is the only time that it is shown.")
    return window.page.locator("main [data-copy-source]").first.inner_text().strip()


def test_a_key_is_made_used_rotated_and_revoked(people: People, window: Callable[..., Window], language: str) -> None:
    company = people.company(language)
    engineer = window(company.engineer)
    page = engineer.page
    engineer.go("/api-keys/")
    page.click("main a[href$='/api-keys/new/'] >> nth=0")
    page.fill("#id_name", "nightly import")
    page.check("input[name=what][value=read]")
    engineer.submit()
    first = secret_on(engineer)
    page.get_by_role("link", name=engineer.say("I have kept it")).click()
    page.wait_for_url("**/api-keys/*-*/")
    assert first not in page.content()
    address = page.url.removeprefix(engineer.portal.url)

    program = people.key(first)
    assert program.get("/projects").status_code == 200
    refused = program.post("/projects", json={"name": "Not by this key"})
    assert (refused.status_code, refused.json()["code"]) == (403, "outside_scope")

    page.click("[data-bs-target='#rotate']")
    page.locator("#rotate.show select").select_option("24")
    page.click("#rotate.show button[type=submit]")
    second = secret_on(engineer)
    assert second != first
    assert [people.key(secret).get("/me").status_code for secret in (first, second)] == [200, 200]
    engineer.go(address)
    page.click("[data-bs-target='#rotate']")
    page.locator("#rotate.show select").select_option("0")
    page.click("#rotate.show button[type=submit]")
    third = secret_on(engineer)
    assert [people.key(secret).get("/me").status_code for secret in (first, second, third)] == [401, 401, 200]

    engineer.go(address)
    page.click("main form[action$='/revoke/'] button")
    engineer.agree()
    engineer.told("The API key was revoked. It opens nothing any more.")
    assert people.key(third).get("/me").status_code == 401
    expect(page.locator("main form[action$='/revoke/']")).to_have_count(0)

    # An administrator sees the key of others, and when the calls have been written down, what it called.
    admin = window(company.admin)
    admin.go("/api-keys/?state=revoked")
    expect(admin.row("nightly import")).to_have_count(1)
    admin.go("/api-keys/endpoints/")
    key = admin.page.locator(f"main tr:has(a[href='{address}'])")
    until(admin, lambda: key.count() == 1)
    # The last count may still be on its way: five answers at least, one of them a refusal.
    until(admin, lambda: int(key.locator("td").nth(1).inner_text()) >= 5)
    assert int(key.locator("td").nth(2).inner_text()) >= 1


def until(window: Window, done: Callable[[], bool], tries: int = 60) -> None:
    """Loads the page again until it shows what the portal writes down by itself every 20 seconds."""
    for _try in range(tries):
        if done():
            return
        window.page.wait_for_timeout(1000)
        window.page.reload()
    raise AssertionError(window.page.locator("main").inner_text())


def test_the_catalogue_of_endpoints_finds_by_word(
    people: People, window: Callable[..., Window], language: str
) -> None:
    visitor = window(people.company(language).engineer)
    visitor.go("/api-keys/endpoints/")
    codes = visitor.page.locator("#endpoints td code")
    everything = codes.count()
    assert everything > 100
    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type("rotate")
    visitor.page.wait_for_url("**q=rotate**")
    assert codes.all_inner_texts() == ["POST /api/v1/api-keys/{id}/rotate"]
    visitor.page.fill("input[name=q]", "no such thing")
    visitor.reads("No endpoint fits")
