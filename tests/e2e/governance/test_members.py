"""What an organization may use, and members who are put on hold or leave."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import NAMES, People, Person
from tests.e2e.visitors import PASSWORD, Window

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="package")
def platform_admin(people: People) -> Person:
    """Who runs the portal, made by its command."""
    email = people.address("platform")
    people.portal.command("createsuperuser", "--noinput", "--email", email, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    return Person(email, "", "en")


def test_limits_are_set_in_the_admin_shown_to_members_and_kept(
    people: People, platform_admin: Person, window: Callable[..., Window], language: str
) -> None:
    company = people.found(language, f"Limits {language}")
    platform, admin = window(Person(platform_admin.email, "", language)), window(company.admin)
    admin.go("/organization/")
    expect(admin.page.get_by_text(admin.say("no limit"))).to_have_count(4)

    platform.go(f"/admin/organizations/organization/{company.id}/change/")
    platform.page.fill("input[name=max_users]", "2")
    platform.page.fill("input[name=max_storage_gb]", "5")
    platform.page.fill("input[name=max_gpu_hours_per_month]", "100")
    platform.page.fill("input[name=reason]", "Agreed with them")
    platform.page.click("button[name=_save], input[name=_save]")
    platform.page.wait_for_url("**/admin/organizations/organization/")

    admin.page.reload()
    for left, limit in (("0", "2"), ("5", "5"), ("100", "100")):
        admin.reads("%(left)s of %(limit)s left", left=left, limit=limit)
    third = people.sign_up(language, f"Limits {language}", NAMES[language][2])
    admin.go("/organization/members/")
    admin.row(third.email).locator("form[action$='/approve/'] button").click()
    admin.told("The organization has no seat left (%(limit)s).", level="error", limit=2)

    # A suspended member frees a seat.
    admin.row(company.engineer.email).locator("form[action$='/suspend/'] button").click()
    admin.agree()
    admin.told("%(name)s is suspended.", name=company.engineer.name)
    admin.row(third.email).locator("form[action$='/approve/'] button").click()
    admin.told("%(name)s is a member now.", name=third.name)


def test_a_member_is_suspended_reinstated_and_removed_with_a_successor(
    people: People, window: Callable[..., Window], language: str
) -> None:
    company = people.found(language, f"Leaving {language}")
    name = {"en": "Solder joints", "ko": "납땜 검사"}[language]
    project = people.api(company.engineer).post("/projects", json={"name": name}).json()["id"]
    admin, engineer = window(company.admin), window(company.engineer)
    engineer.go(f"/projects/{project}/")

    admin.go("/organization/members/")
    member = admin.row(company.engineer.email)
    member.locator("form[action$='/suspend/'] button").click()
    admin.agree()
    admin.told("%(name)s is suspended.", name=company.engineer.name)
    engineer.go(f"/projects/{project}/")
    engineer.reads("Your membership in %(name)s is suspended.", name=company.name)
    assert name not in engineer.page.content()

    member.locator("form[action$='/reinstate/'] button").click()
    admin.told("%(name)s is a member again.", name=company.engineer.name)
    engineer.page.reload()
    expect(engineer.page.locator("h1")).to_contain_text(name)

    # The last administrator stays.
    admin.row(company.admin.email).locator("a[href$='/remove/']").click()
    admin.submit()
    admin.reads("An organization needs an administrator.")
    admin.refused(422)

    admin.go("/organization/members/")
    member.locator("a[href$='/remove/']").click()
    admin.reads("Nobody else answers for these; choose who takes them over:")
    expect(admin.page.locator("main .card ul")).to_contain_text(name)
    admin.submit()
    admin.page.wait_for_selector("[data-form-errors]")
    admin.refused(422)
    admin.page.locator("#id_heir").select_option(index=1)
    admin.submit()
    admin.told("The membership has ended.")
    expect(member).to_have_count(0)
    admin.go(f"/projects/{project}/members/")
    expect(admin.row(company.admin.email).locator("select")).to_have_value("owner")
    engineer.page.reload()
    engineer.reads("You belong to no organization yet.")
