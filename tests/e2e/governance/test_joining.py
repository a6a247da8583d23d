"""A company comes in: sign-up, the mailed link, those who wait, and what an administrator makes of them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People
from tests.e2e.visitors import PASSWORD, Window

pytestmark = pytest.mark.e2e

COMPANY = {"en": ("Harbour Robotics", "Vision"), "ko": ("새봄로봇", "비전연구팀")}


def sign_up(window: Window, email: str) -> None:
    company, division = COMPANY[window.language]
    page = window.page
    window.go("/account/login/")
    page.click("a[href^='/account/signup/']")
    page.fill("input[name=email]", email)
    page.fill("input[name=password1]", PASSWORD)
    page.fill("input[name=company]", company)
    page.fill("input[name=division]", division)
    window.submit()
    page.wait_for_url("**/account/confirm-email/")
    window.reads("Look into your mailbox")


def verify(window: Window, email: str) -> None:
    """Nothing opens before the link has been."""
    window.go("/account/login/")
    window.give_password(email, PASSWORD)
    window.reads("Address or password is wrong, or the address is not verified.")
    mail = window.portal.mailbox.take(email)
    assert mail.subject == f"[Modelyard] {window.say('Confirm your address')}"
    window.go(mail.link("/account/confirm-email/"))
    window.submit()
    window.page.wait_for_url("**/account/login/")
    window.told("%(email)s is confirmed.", email=email)
    window.give_password(email, PASSWORD)
    window.page.wait_for_url(f"{window.portal.url}/")


def test_a_company_signs_up_and_lets_its_people_in(
    people: People, window: Callable[..., Window], language: str
) -> None:
    first, second = people.address("first"), people.address("second")
    admin, newcomer = window(), window()

    sign_up(admin, first)
    verify(admin, first)
    expect(admin.page.locator(".topbar-organization")).to_contain_text(" · ".join(COMPANY[language]))
    admin.go("/organization/members/")
    expect(admin.row(first)).to_contain_text(admin.say("Administrator"))

    sign_up(newcomer, second)
    verify(newcomer, second)
    newcomer.reads("You asked to join %(name)s.", name=" · ".join(COMPANY[language]))
    for path in ("/projects/", "/organization/members/", "/audit/"):
        newcomer.go(path)
        newcomer.reads("What happens next")
        assert first not in newcomer.page.content()
    assert newcomer.page.request.get(f"{newcomer.portal.url}/api/v1/organizations").json()["results"] == []

    admin.page.reload()
    waiting = admin.row(second)
    name = waiting.locator(".row-title").inner_text()
    waiting.locator("select[name=role]").select_option("engineer_ii")
    waiting.locator("form[action$='/approve/'] button").click()
    admin.told("%(name)s is a member now.", name=name)
    expect(admin.row(second).locator("[data-badge]")).to_have_text(admin.say("Active"))

    newcomer.go("/organization/members/")
    expect(newcomer.row(second).locator("select")).to_have_count(0)
    expect(newcomer.row(first).locator("form")).to_have_count(0)

    admin.row(second).locator("select[name=role]").select_option("manager")
    admin.row(second).locator("form[action$='/role/'] button").click()
    admin.told("The role was changed.")

    # A manager grants what is below: an administrator's role stays what it is.
    newcomer.page.reload()
    expect(newcomer.row(second)).to_contain_text(newcomer.say("Manager"))
    newcomer.go("/invitations/new/")
    offered = newcomer.page.locator("#id_role option").evaluate_all("options => options.map((one) => one.value)")
    assert offered == ["engineer_ii", "engineer_i", "guest"]
    newcomer.go("/organization/members/")
    expect(newcomer.row(first).locator("form")).to_have_count(0)


def test_a_wrong_password_is_told_in_words(people: People, window: Callable[..., Window], language: str) -> None:
    person = people.company(language).engineer
    visitor = window()
    visitor.go("/account/login/")
    visitor.give_password(person.email, "not-the-password-at-all")
    visitor.page.wait_for_selector("[data-form-errors]")
    known = visitor.page.locator("[data-form-errors]").inner_text()
    visitor.give_password("nobody@people.example", "not-the-password-at-all")
    visitor.page.wait_for_selector("[data-form-errors]")
    expect(visitor.page.locator("[data-form-errors]")).to_have_text(known)
    assert known.strip()
