"""A passkey, made and used in a browser: as the second factor, and alone."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import LivePortal

pytestmark = pytest.mark.e2e


def sign_out(page: Page) -> None:
    page.evaluate("""document.querySelector('form[action="/account/logout/"]').submit()""")
    page.wait_for_url("**/account/login/**")


def test_a_passkey_signs_in_as_second_factor_and_alone(live_portal: LivePortal, visit: Any) -> None:
    page = visit().page
    page.set_default_timeout(60_000)
    # Browsers know passkeys at secure addresses and at localhost, not at 127.0.0.1.
    base = live_portal.url.rstrip("/").replace("127.0.0.1", "localhost")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def password() -> None:
        page.goto(f"{base}/account/login/")
        page.fill("input[name=login]", live_portal.email)
        page.fill("input[name=password]", live_portal.password)
        page.keyboard.press("Enter")

    password()
    page.wait_for_url(f"{base}/")
    page.goto(f"{base}/account/second-factor/webauthn/add/")
    page.fill("input[name=password]", live_portal.password)
    page.keyboard.press("Enter")
    page.check("input[name=passwordless]")
    page.click("form[data-passkey=create] button[type=submit]")
    page.wait_for_url("**/account/second-factor/recovery-codes/")
    assert page.locator("main li code").count() == 10

    sign_out(page)
    page.click("form[data-passkey=login] button")
    page.wait_for_url(f"{base}/")

    sign_out(page)
    password()
    page.wait_for_url("**/account/second-factor/authenticate/**")
    page.goto(f"{base}/profile/")
    assert "/account/" in page.url, "the password alone opens nothing"
    page.goto(f"{base}/account/second-factor/authenticate/")
    page.click("form[data-passkey=get] button")
    page.wait_for_url(f"{base}/")

    # The other journeys sign in with the password alone.
    page.goto(f"{base}/account/second-factor/webauthn/")
    page.locator("main a[href$='/remove/']").click()
    if "reauthenticate" in page.url:
        page.fill("input[name=password]", live_portal.password)
        page.keyboard.press("Enter")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/account/second-factor/webauthn/")
    page.goto(f"{base}/account/second-factor/")
    assert page.locator("a[href$='/webauthn/']").count() == 0
