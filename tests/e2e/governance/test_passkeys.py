"""A passkey, made and used in a browser: as the second factor, and alone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import People
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

DEVICE = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
DEVICE |= {"isUserVerified": True, "automaticPresenceSimulation": True}


def sign_out(page: Page) -> None:
    page.click("header.topbar .dropdown:has(.avatar-initial) > button")
    page.click("header.topbar form[action$='/account/logout/'] button")
    page.wait_for_url("**/account/login/**")


def test_a_passkey_signs_in_as_second_factor_and_alone(
    people: People, window: Callable[..., Window], language: str
) -> None:
    person = people.sign_up(language, f"Passkeys {language}")
    # Browsers know passkeys at secure addresses and at localhost, not at 127.0.0.1.
    base = people.portal.url.replace("127.0.0.1", "localhost")
    visitor = window(at=base)
    page = visitor.page
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})

    visitor.sign_in(person.email, person.password)
    visitor.go("/account/second-factor/webauthn/add/")
    page.fill("input[name=password]", person.password)
    visitor.submit()
    page.fill("input[name=name]", visitor.say("Second factor"))
    page.check("input[name=passwordless]")
    page.click("form[data-passkey=create] button[type=submit]")
    page.wait_for_url("**/account/second-factor/recovery-codes/")
    expect(page.locator("main li code")).to_have_count(10)

    sign_out(page)
    page.click("form[data-passkey=login] button")
    page.wait_for_url(f"{base}/")

    sign_out(page)
    visitor.give_password(person.email, person.password)
    page.wait_for_url("**/account/second-factor/authenticate/**")
    visitor.go("/profile/")
    assert "/account/" in page.url, "the password alone opens nothing"
    visitor.go("/account/second-factor/authenticate/")
    page.click("form[data-passkey=get] button")
    page.wait_for_url(f"{base}/")

    visitor.go("/account/second-factor/webauthn/")
    expect(visitor.row(visitor.say("Second factor"))).to_contain_text(visitor.say("Signs in alone"))
    page.locator("main a[href$='/remove/']").click()
    page.wait_for_load_state()
    if "reauthenticate" in page.url:
        page.fill("input[name=password]", person.password)
        visitor.submit()
        page.wait_for_url("**/remove/")
    visitor.submit()
    page.wait_for_url("**/account/second-factor/webauthn/")
    visitor.reads("You have added no key.")
