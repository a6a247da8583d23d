"""Inviting by mail: to the organization, a project, a dataset; people who are new and people who are not."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import NAMES, People
from tests.e2e.visitors import PASSWORD, Window

pytestmark = pytest.mark.e2e

MESSAGE = {"en": "We start on Monday.\nBring your camera.", "ko": "월요일에 시작합니다.\n카메라를 가져오십시오."}
OTHER = {"en": "Quarry Lane", "ko": "다온소재"}
#: As long as an address has rest between two mails, and a little.
PAUSE_SECONDS = 65


def invite(window: Window, email: str, role: str, query: str = "", message: str = "") -> None:
    window.go(f"/invitations/new/{query}")
    window.page.fill("#id_email", email)
    window.page.select_option("#id_role", role)
    window.page.fill("#id_message", message)
    window.submit("main form:has(#id_email)")
    window.told("The invitation is on its way.")


def link_in(window: Window, email: str) -> str:
    return window.portal.mailbox.take(email).link("/invite/")


def test_who_is_new_signs_up_by_the_link_and_is_in_the_organization(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company, email = people.company(language), people.address("invited")
    admin, guest = window(company.admin), window()
    invite(admin, email, "engineer_i", message=MESSAGE[language])
    expect(admin.row(email).locator("[data-state=pending]")).to_have_count(1)

    mail = guest.portal.mailbox.take(email)
    assert mail.subject == f"[Modelyard] {guest.say('You are invited to %(organization)s', organization=company.name)}"
    for line in MESSAGE[language].splitlines():
        assert line in mail.text
        assert line in mail.html
    guest.go(mail.link("/invite/"))
    guest.reads("You are invited to %(name)s", name=company.name)
    expect(guest.page.locator("main dl")).to_contain_text(MESSAGE[language], use_inner_text=True)
    guest.page.fill("#id_name", NAMES[language][2])
    guest.page.fill("#id_password", "short")
    guest.submit("main form[action$='/sign-up/']")
    guest.page.wait_for_selector(".field-error")
    guest.refused(422)
    guest.page.fill("#id_password", PASSWORD)
    guest.submit("main form[action$='/sign-up/']")
    guest.told("Welcome to %(name)s.", name=company.name)
    guest.go("/organization/members/")
    expect(guest.row(email)).to_contain_text(guest.say("Engineer I"))

    admin.page.reload()
    expect(admin.row(email).locator("[data-state=accepted]")).to_have_count(1)


def test_who_has_an_account_elsewhere_signs_in_and_joins_the_project_alone(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.company(language)
    http = people.api(company.admin)
    project, other = (http.post("/projects", json={"name": name}).json() for name in ("Weld seams", "Secret plans"))
    person = people.sign_up(language, OTHER[language], NAMES[language][2])
    admin, visitor = window(company.admin), window()
    admin.go(f"/projects/{project['id']}/members/")
    admin.page.click("main a[href*='/invitations/new/']")
    admin.page.fill("#id_email", person.email)
    admin.page.select_option("#id_role", "editor")
    admin.submit("main form:has(#id_email)")
    admin.told("The invitation is on its way.")

    visitor.go(link_in(visitor, person.email))
    visitor.page.click("main a[href*='/account/login/']")
    visitor.give_password(person.email, person.password)
    visitor.page.wait_for_url("**/invite/*/")
    visitor.submit("main form[action$='/accept/']")
    visitor.page.wait_for_url(f"**/projects/{project['id']}/")
    visitor.told("Welcome to %(name)s.", name=project["name"])
    visitor.go("/projects/")
    expect(visitor.row(project["name"])).to_have_count(1)
    expect(visitor.row(other["name"])).to_have_count(0)
    visitor.go(f"/projects/{other['id']}/", status=404)

    # Two organizations: the bar at the top goes back and forth.
    visitor.go("/")
    visitor.page.click(".topbar-organization-menu button")
    visitor.page.locator(".topbar-organization-menu [name=organization]", has_text=OTHER[language]).click()
    visitor.page.wait_for_selector(f".topbar-organization:has-text('{OTHER[language]}')")
    visitor.go("/projects/")
    expect(visitor.row(project["name"])).to_have_count(0)


def test_a_dataset_brings_a_guest_who_sees_nothing_else(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company, email = people.company(language), people.address("auditor")
    http = people.api(company.admin)
    project = http.post("/projects", json={"name": "Coil surface"}).json()["id"]
    body = {"name": "Coils 2026", "project_id": project}
    dataset = http.post("/datasets", json=body).json()["id"]
    http.post("/datasets", json={"name": "Prices", "project_id": project}).raise_for_status()
    admin, guest = window(company.admin), window()
    admin.go(f"/datasets/{dataset}/sharing/")
    admin.page.click("main a[href*='/invitations/new/']")
    admin.page.fill("#id_email", email)
    admin.page.select_option("#id_role", "view")
    admin.submit("main form:has(#id_email)")
    admin.told("The invitation is on its way.")

    guest.go(link_in(guest, email))
    guest.page.fill("#id_password", PASSWORD)
    guest.submit("main form[action$='/sign-up/']")
    guest.page.wait_for_url(f"**/datasets/{dataset}/")
    guest.go("/datasets/")
    expect(guest.row("Coils 2026")).to_have_count(1)
    expect(guest.row("Prices")).to_have_count(0)
    guest.go("/projects/")
    expect(guest.row("Coil surface")).to_have_count(0)


def test_sent_again_the_old_link_is_dead_and_withdrawn_the_new_one_is(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.company(language)
    admin, visitor = window(company.admin), window()
    again = admin.row(company.invited).locator("form[action$='/resend/'] button")
    first = link_in(admin, company.invited)
    invite(admin, hasty := people.address("hasty"), "guest")
    link_in(admin, hasty)
    while admin.row(hasty).get_by_text(admin.say("The mail is on its way.")).count():
        admin.page.reload()
    admin.row(hasty).locator("form[action$='/resend/'] button").click()
    admin.told("A mail was sent a moment ago.", level="error")

    # A minute lies between two mails; the other journeys have filled most of it.
    while time.monotonic() < company.invited_at + PAUSE_SECONDS:
        admin.page.wait_for_timeout(200)
    again.click()
    admin.told("A new mail is on its way; the old link is dead.")
    second = link_in(admin, company.invited)
    visitor.go(first, status=404)
    visitor.go(second)
    visitor.reads("You are invited to %(name)s", name=company.name)

    admin.row(company.invited).locator("form[action$='/cancel/'] button").click()
    admin.agree()
    admin.told("The invitation was withdrawn.")
    visitor.page.reload()
    visitor.reads("This invitation has ended")
    expect(visitor.page.locator("main form")).to_have_count(0)


def test_declining_takes_one_question_and_no_account(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company, email = people.company(language), people.address("declines")
    admin, visitor = window(company.admin), window()
    invite(admin, email, "guest")
    visitor.go(link_in(visitor, email))
    visitor.submit("main form[action$='/decline/']")
    visitor.agree()
    visitor.reads("This invitation has ended")
    admin.page.reload()
    expect(admin.row(email).locator("[data-state=declined]")).to_have_count(1)


def test_who_is_signed_in_under_another_address_is_told_and_comes_back(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company, email = people.company(language), people.address("another")
    admin = window(company.admin)
    invite(admin, email, "guest")
    other = people.sign_up(language, f"{OTHER[language]} 2")
    visitor = window(other)
    link = link_in(visitor, email)
    visitor.go(link)
    visitor.reads("You are signed in as %(email)s, and this invitation is for another address.", email=other.email)
    visitor.submit("main form[action$='/logout/']")
    visitor.page.wait_for_url(link)
    expect(visitor.page.locator("main form[action$='/sign-up/']")).to_have_count(1)


def test_a_file_invites_many_and_tells_what_became_of_each_line(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company, email = people.company(language), people.address("line")
    project = people.api(company.admin).post("/projects", json={"name": "Night shift"}).json()["id"]
    lines = f"email,role\n{company.engineer.email},viewer\n{email},editor\nnobody at all\n{email},emperor\n"
    admin = window(company.admin)
    admin.go(f"/invitations/new/?type=project&id={project}")
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": lines.encode("utf-8-sig")}
    admin.page.set_input_files("input[type=file]", [file])
    admin.submit("main form[enctype]")
    admin.page.wait_for_selector("main table [data-badge]")
    states = admin.page.locator("main table [data-badge]").evaluate_all("all => all.map((one) => one.dataset.state)")
    assert states == ["joined", "invited", "refused", "refused"]
    visitor = window()
    visitor.go(link_in(visitor, email))
    expect(visitor.page.locator("main dl")).to_contain_text(visitor.say("Editor"))
    admin.go(f"/projects/{project}/members/")
    expect(admin.row(company.engineer.email).locator("select")).to_have_value("viewer")
    expect(admin.row(email).locator("form[action$='/resend/']")).to_have_count(1)
