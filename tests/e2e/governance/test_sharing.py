"""Sharing one dataset, and who can see it and why; a project from its first member to the trash and back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e


def test_a_dataset_is_shared_with_one_person_and_the_page_says_why(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.company(language)
    http = people.api(company.admin)
    project = http.post("/projects", json={"name": "Gear teeth"}).json()["id"]
    dataset = http.post("/datasets", json={"name": "Gears", "project_id": project}).json()["id"]
    admin, engineer = window(company.admin), window(company.engineer)
    engineer.go(f"/datasets/{dataset}/", status=404)

    admin.go(f"/datasets/{dataset}/sharing/")
    panel = admin.page.locator("#share-panel")
    access = panel.locator("table").last
    expect(access).not_to_contain_text(company.engineer.name)
    panel.locator("select[name=user]").select_option(label=f"{company.engineer.name} ({company.engineer.email})")
    panel.locator("form:has(select[name=user]) select[name=level]").select_option("use")
    panel.locator("form:has(select[name=user]) button[type=submit]").click()
    shared = panel.locator("form[action$='/level/']")
    shared.wait_for()
    admin.told("It is shared.")
    expect(shared.locator("select")).to_have_value("use")
    reasons = access.locator("tr", has_text=company.engineer.name)
    expect(reasons).to_contain_text(admin.say("Shared with the person: %(level)s", level=admin.say("Use")))

    engineer.go(f"/datasets/{dataset}/")
    expect(engineer.page.locator("main a[href$='/upload/']")).to_have_count(0)
    engineer.go(f"/datasets/{dataset}/sharing/")
    expect(engineer.page.locator("#share-panel select")).to_have_count(0)

    shared.locator("select").select_option("edit")
    shared.locator("button").click()
    admin.told("The share was changed.")
    engineer.go(f"/datasets/{dataset}/")
    expect(engineer.page.locator("main a[href$='/upload/']").first).to_be_attached()

    panel.locator("form[action$='/remove/'] button").click()
    admin.agree()
    shared.wait_for(state="detached")
    admin.told("The share was ended.")
    engineer.go(f"/datasets/{dataset}/", status=404)


def test_a_project_from_its_first_member_to_the_trash_and_back(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.company(language)
    admin, engineer = window(company.admin), window(company.engineer)
    page, name = admin.page, "Paint defects"
    admin.go("/projects/new/")
    page.fill("#id_name", name)
    admin.submit()
    admin.told("The project was created.")
    address = page.url.removeprefix(admin.portal.url)

    admin.go(f"{address}members/")
    page.locator("#id_user").select_option(label=f"{company.engineer.name} ({company.engineer.email})")
    page.locator("#id_role").select_option("viewer")
    admin.submit("main form[action$='/members/add/']")
    admin.told("The member was added.")
    engineer.go(f"{address}settings/")
    expect(engineer.page.locator("main form")).to_have_count(0)
    expect(engineer.page.locator("main button[aria-disabled=true]").nth(2)).to_be_attached()

    member = admin.row(company.engineer.email)
    member.locator("select").select_option("editor")
    member.locator("form[action$='/role/'] button").click()
    admin.told("The role was changed.")

    # Handed over, the giver stays as an editor and the taker decides.
    admin.go(f"{address}settings/")
    page.locator("#id_user").select_option(label=f"{company.engineer.name} ({company.engineer.email})")
    admin.submit("main form[action$='/transfer/']")
    admin.agree()
    admin.told("The project was handed over.")
    expect(admin.row(company.engineer.email).locator("select")).to_have_value("owner")
    expect(admin.row(company.admin.email).locator("select")).to_have_value("editor")

    engineer.go(f"{address}settings/")
    engineer.submit("main form[action$='/archive/']")
    engineer.told("The project is in the archive.")
    engineer.go("/projects/")
    expect(engineer.row(name)).to_have_count(0)
    engineer.go("/projects/?archived=1")
    engineer.row(name).locator("a").click()
    engineer.reads("This project is in the archive: it can be seen, and nothing in it changes.")
    engineer.go(f"{address}settings/")
    engineer.submit("main form[action$='/unarchive/']")
    engineer.told("The project is out of the archive.")

    engineer.submit("main form[action$='/trash/']")
    engineer.agree()
    engineer.told("The project is in the trash.")
    admin.go(address, status=404)
    engineer.row(name).locator("button").click()
    engineer.told("The project is back.")
    engineer.page.wait_for_url(f"**{address}")

    engineer.go(f"{address}members/")
    engineer.row(company.admin.email).locator("form[action$='/remove/'] button").click()
    engineer.agree()
    engineer.told("The member was removed.")
    expect(engineer.row(company.admin.email)).to_have_count(0)
