"""An organization is exported, closed and opened again; a person leaves for good."""

import io
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import NAMES, People
from tests.e2e.visitors import PASSWORD, Window

pytestmark = pytest.mark.e2e


def test_an_organization_is_exported_closed_and_kept(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.found(language, f"Closing {language}")
    project = people.api(company.engineer).post("/projects", json={"name": "Welds"}).json()["id"]
    admin, engineer = window(company.admin), window(company.engineer)

    engineer.go("/organization/departure/")
    expect(engineer.page.locator("main form")).to_have_count(0)

    admin.go("/organization/departure/")
    admin.submit("#exports form")
    admin.told("The export is being written. It is listed here, and a mail tells when it is ready.")
    with zipfile.ZipFile(io.BytesIO(admin.downloaded("#exports a[href*='/exports/']"))) as written:
        assert written.testzip() is None
        names = {name.rpartition("/")[2] for name in written.namelist()}
        assert {"manifest.json", "projects.jsonl", "datasets.jsonl"} <= names, names
        assert b"Welds" in written.read(next(name for name in written.namelist() if name.endswith("projects.jsonl")))

    # The name is typed; another one closes nothing.
    for name in ("Closing", company.name):
        admin.page.fill("#delete #id_name", name)
        admin.page.fill("#delete #id_reason", "The plant moves")
        admin.submit("#delete form")
        admin.agree()
        if name != company.name:
            admin.page.locator("#delete [data-form-errors]").first.wait_for()
            admin.refused(422)
    admin.told("The organization is closed. The deletion can be cancelled until it is due.")

    engineer.go(f"/projects/{project}/")
    engineer.reads("Its administrators can cancel the deletion.")
    refused = people.api(company.engineer).post("/projects", json={"name": "Too late"})
    assert refused.status_code == 409, refused.text

    admin.submit("main form[action$='/keep/']")
    admin.told("The deletion was cancelled. Everything is as it was.")
    admin.go(f"/projects/{project}/")
    assert people.api(company.admin).post("/projects", json={"name": "In time"}).status_code == 201


def test_a_person_deletes_the_account_and_is_nowhere_named(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.found(language, f"Parting {language}")
    leaving, name = company.engineer, NAMES[language][1]
    people.api(leaving).post("/projects", json={"name": "Left behind"}).raise_for_status()
    admin, person = window(company.admin), window(leaving)
    admin.go("/organization/members/")
    expect(admin.row(leaving.email)).to_have_count(1)

    person.go("/profile/")
    person.page.locator("a[href='/profile/delete/']").click()
    person.page.wait_for_url("**/profile/delete/")
    person.page.fill("#id_email", leaving.email)
    person.page.fill("#id_password", "not the password at all")
    if person.page.locator("select[name^=heir_]").count():
        person.page.locator("select[name^=heir_]").select_option(index=1)
    person.submit()
    person.agree()
    person.page.locator("main [data-form-errors]").first.wait_for()
    person.refused(422)
    person.page.fill("#id_password", PASSWORD)
    person.submit()
    person.agree()
    person.page.wait_for_url("**/account/login/")

    person.give_password(leaving.email, PASSWORD)
    expect(person.page.locator("input[name=login]")).to_be_visible()
    admin.page.reload()
    expect(admin.row(leaving.email)).to_have_count(0)
    admin.go("/audit/")
    expect(admin.page.locator("main")).not_to_contain_text(leaving.email)
    expect(admin.page.locator("main tbody").first).not_to_contain_text(name)
    admin.go("/projects/")
    expect(admin.page.locator("main")).to_contain_text("Left behind")
    expect(admin.page.locator("main tbody")).not_to_contain_text(name)
