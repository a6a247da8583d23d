"""A second factor: set up, used, replaced by a recovery code, demanded by an organization."""

import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.e2e.people import People, Person
from tests.e2e.visitors import PASSWORD, Window

pytestmark = pytest.mark.e2e

PERIOD = 30
#: What typing a code and sending it may take before the next one begins.
SPARE_SECONDS = 5


class App:
    """An authenticator app that has scanned a key."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self, window: Window) -> str:
        """What the app shows, once enough of the period is left to send it."""
        while (counter := int(time.time()) // PERIOD) != int(time.time() + SPARE_SECONDS) // PERIOD:
            window.page.wait_for_timeout(100)
        return format_hotp_value(hotp_value(self.secret, counter))


def prove(window: Window) -> None:
    """The password once more, where the page asks for it."""
    window.page.wait_for_load_state()
    if "/reauthenticate/" in window.page.url:
        window.page.fill("input[name=password]", PASSWORD)
        window.submit()


def set_up(window: Window) -> App:
    window.page.click("main a[href$='/totp/activate/']")
    prove(window)
    app = App(window.page.locator("main code").inner_text().strip())
    assert window.page.locator("main img.qr-code").get_attribute("src", timeout=1000)
    window.page.fill("input[name=code]", app.code(window))
    window.submit()
    window.page.wait_for_url("**/recovery-codes/")
    return app


def password(window: Window, person: Person) -> None:
    window.go("/account/login/")
    window.give_password(person.email, person.password)
    window.page.wait_for_url("**/account/second-factor/authenticate/**")


def code(window: Window, value: str) -> None:
    window.page.fill("input[name=code]", value)
    window.submit()


def test_an_app_and_recovery_codes_let_in_and_the_password_alone_does_not(
    people: People, window: Callable[..., Window], language: str
) -> None:
    person = people.sign_up(language, f"Factors {language}")
    at_work = window()
    at_work.sign_in(person.email, person.password)
    at_work.go("/profile/")
    at_work.page.click("main a[href$='/second-factor/']")
    at_work.reads("Signing in takes your password alone.")
    app = set_up(at_work)
    codes = at_work.page.locator("main li code").all_inner_texts()
    assert len(codes) == 10
    kept = at_work.downloaded("main a[href$='/download/']").decode()
    assert kept.split() == codes
    at_work.go("/account/second-factor/")
    at_work.reads("Signing in takes your password and a second factor.")

    at_home = window()
    password(at_home, person)
    at_home.go("/profile/")
    assert "/account/" in at_home.page.url, "the password alone opens nothing"
    at_home.go("/account/second-factor/authenticate/")
    code(at_home, "000000")
    at_home.page.wait_for_selector("[data-form-errors]")
    code(at_home, app.code(at_home))
    at_home.page.wait_for_url(f"{at_home.portal.url}/")

    on_the_road = window()
    password(on_the_road, person)
    code(on_the_road, codes[0])
    on_the_road.page.wait_for_url(f"{on_the_road.portal.url}/")
    on_the_road.go("/account/second-factor/")
    on_the_road.page.get_by_text("9", exact=False).first.wait_for()
    stranger = window()
    password(stranger, person)
    code(stranger, codes[0])
    stranger.page.wait_for_selector("[data-form-errors]")


def test_an_organization_that_demands_one_opens_nothing_without(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.found(language, f"Strict {language}")
    admin, engineer = window(company.admin), window(company.engineer)
    admin.go("/organization/settings/")
    admin.page.check("#id_require_mfa")
    admin.submit()
    admin.page.wait_for_selector("[data-form-errors]")
    admin.refused(422)
    admin.go("/account/second-factor/")
    set_up(admin)
    admin.go("/organization/settings/")
    admin.page.check("#id_require_mfa")
    admin.submit()
    admin.told("The organization was changed.")

    for path in ("/projects/", "/organization/members/", "/api-keys/"):
        engineer.go(path)
        assert engineer.page.url.endswith("/account/second-factor/")
    engineer.told("This organization demands a second factor. Set one up to go on.", level="warning")
    answer = engineer.page.request.get(f"{engineer.portal.url}/api/v1/projects")
    assert (answer.status, answer.json()["code"]) == (403, "mfa_setup_required")
    set_up(engineer)
    engineer.go("/projects/")
    assert engineer.page.url.endswith("/projects/")
