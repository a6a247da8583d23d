"""Passwords forgotten, reset and changed; where one is signed in, and being put out."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People, Person
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

NEXT, LAST = "quite-another-passphrase", "and-a-third-passphrase"


def signed_in(window: Callable[..., Window], person: Person) -> Window:
    """A browser of its own, through the door."""
    opened = window()
    opened.sign_in(person.email, person.password)
    return opened


def is_out(window: Window) -> bool:
    window.go("/profile/")
    return "/account/login/" in window.page.url


def test_a_forgotten_password_is_reset_by_mail_and_a_known_one_changed(
    people: People, window: Callable[..., Window], language: str
) -> None:
    person = people.sign_up(language, f"Passwords {language}")
    at_home = signed_in(window, person)
    visitor = window()
    answers, mails = [], []
    for email in (person.email, people.address("stranger")):
        visitor.go("/account/login/")
        visitor.page.click("a[href^='/account/password/reset/']")
        visitor.page.fill("input[name=email]", email)
        visitor.submit()
        visitor.page.wait_for_url("**/account/password/reset/done/")
        answers.append(visitor.page.locator("main").inner_text())
        mails.append(visitor.portal.mailbox.take(email))
    assert answers[0] == answers[1]
    subjects = ("Choose a new password", "There is no account for this address")
    assert [mail.subject for mail in mails] == [f"[Modelyard] {visitor.say(text)}" for text in subjects]
    link = mails[0].link("/account/password/reset/key/")

    visitor.go(link)
    visitor.page.fill("input[name=password1]", NEXT)
    visitor.page.fill("input[name=password2]", NEXT)
    visitor.submit()
    visitor.reads("The password was changed")
    visitor.go(link)
    visitor.reads("This link is no longer good")
    assert is_out(at_home), "the reset ends what the old password had opened"
    at_home.give_password(person.email, person.password)
    at_home.page.wait_for_selector("[data-form-errors]")

    person = replace(person, password=NEXT)
    at_home, at_work = signed_in(window, person), signed_in(window, person)
    at_work.go("/account/password/change/")
    at_work.page.fill("input[name=oldpassword]", NEXT)
    at_work.page.fill("input[name=password1]", LAST)
    at_work.page.fill("input[name=password2]", LAST)
    at_work.submit()
    at_work.told("The password was changed.")
    assert not is_out(at_work)
    assert is_out(at_home)
    assert not is_out(signed_in(window, replace(person, password=LAST)))


def test_other_browsers_and_programs_are_listed_and_put_out_at_once(
    people: People, window: Callable[..., Window], language: str
) -> None:
    person = people.sign_up(language, f"Sessions {language}")
    here, there = signed_in(window, person), signed_in(window, person)
    program = people.api(person)
    assert program.get("/me").status_code == 200

    here.page.goto(f"{here.portal.url}/profile/")
    here.page.click("main a[href$='/profile/sessions/']")
    rows = here.page.locator("main tbody tr")
    # Here and there, and the program of now and of the sign-up.
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text(here.say("here"))
    other = rows.filter(has_text=here.say("Browser")).filter(has_not_text=here.say("here"))
    expect(other).to_have_count(1)
    there.go("/projects/")
    other.locator("button").click()
    here.told("The sign-in was ended.")
    there.page.click("a[href='/datasets/']")
    there.page.wait_for_url("**/account/login/**")

    assert program.get("/me").status_code == 200
    here.submit("main form[action$='/others/end/']")
    here.agree()
    here.page.wait_for_selector("#toasts [data-level=success]")
    expect(rows).to_have_count(1)
    assert program.get("/me").status_code == 401
    assert not is_out(here)

    here.page.click("header.topbar .dropdown:has(.avatar-initial) > button")
    here.page.click("header.topbar form[action$='/account/logout/'] button")
    here.page.wait_for_url("**/account/login/")
    assert is_out(here)
