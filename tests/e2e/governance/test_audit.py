"""What happened: one's own activity, an object's history, the organization's log, its export and its soundness."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import People
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e


def test_the_log_is_read_filtered_exported_and_verified(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.company(language)
    http = people.api(company.admin)
    name = {"en": "Bearing rings", "ko": "베어링 링"}[language]
    project = http.post("/projects", json={"name": name}).json()["id"]
    theirs = people.api(company.engineer).post("/projects", json={"name": "Theirs"}).json()["id"]
    admin, engineer = window(company.admin), window(company.engineer)

    admin.go(f"/projects/{project}/settings/")
    admin.page.fill("#id_description", "2026")
    admin.submit()
    admin.told("The project was changed.")
    admin.go(f"/projects/{project}/history/")
    history = admin.page.locator("[data-history] tbody tr")
    history.first.wait_for()
    expect(history).to_have_count(2)
    history.first.locator("summary").click()
    expect(history.first.locator("ins")).to_contain_text("2026")

    engineer.go("/audit/")
    expect(engineer.row("Theirs").first).to_be_attached()
    expect(engineer.page.locator("main")).not_to_contain_text(name)
    expect(engineer.page.locator("a[href='/audit/organization/']")).to_have_count(0)
    engineer.go("/audit/organization/", status=403)

    admin.go("/audit/")
    admin.page.click("main a[href='/audit/organization/']")
    page = admin.page
    page.select_option("select[name=action]", "project.created")
    page.fill("input[name=q]", name)
    admin.submit("main form.filters")
    page.wait_for_url("**action=project.created**")
    rows = page.locator("main table tbody > tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(name)
    page.click("main .page-actions button")
    table = table_of(admin.downloaded("a[href*='as=csv']"))
    assert [row["action"] for row in table] == ["project.created"]
    assert any(name in value for value in table[0].values())

    # By person: what the engineer did is theirs alone.
    page.click("main form.filters a")
    page.select_option("select[name=person]", label=company.engineer.name)
    admin.submit("main form.filters")
    page.wait_for_url("**person=**")
    assert page.locator("main table").inner_text().count("Theirs") > 0
    expect(page.locator("main table")).not_to_contain_text(name)

    admin.go("/audit/organization/")
    page.click("main .page-actions button")
    lines = admin.downloaded("a[href*='as=jsonl']").decode().splitlines()
    assert len(lines) > len(table)
    assert all(isinstance(json.loads(line), dict) for line in lines)

    admin.submit("main form[action$='/check/']")
    admin.told("The log is being verified; the result is shown here.")
    for _try in range(60):
        if admin.say("Every event is what was sealed, in its place.") in page.locator("main").inner_text():
            break
        page.wait_for_timeout(500)
        page.reload()
    admin.reads("Every event is what was sealed, in its place.")
    admin.reads("Nothing that was signed is missing.")
    assert people.api(company.engineer).get(f"/audit-logs/entity/projects.project/{theirs}").status_code == 200


def table_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV that a spreadsheet opens: it begins with the mark of UTF-8."""
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
