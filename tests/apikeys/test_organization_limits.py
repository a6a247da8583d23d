"""The limit of API calls that one organization has of its own."""

from typing import Any

import pytest

from apps.apikeys import counters
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, RestClient
from apps.organizations.models import Organization
from tests.factories.apikeys import key_of
from tests.factories.cast import access_token
from tests.factories.organizations import MembershipFactory


@pytest.fixture(autouse=True)
def limits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Those of the platform, at a clock that stands still."""
    settings.RATE_LIMITS = {"key": 50, "user": 60, "organization": 40}
    monkeypatch.setattr(counters.time, "time", lambda: 1_800_000_030.0)
    return settings.RATE_LIMITS


def statuses(client: RestClient, count: int) -> list[int]:
    return [client.get("/me/permissions").status_code for _number in range(count)]


def set_limit(cast: Cast, calls: int | None) -> None:
    url = f"/organizations/{cast.sample('organization').pk}/quotas"
    answer = cast.platform.rest.patch(url, {"max_calls_per_minute": calls})
    assert answer.status_code == 200, answer.json()


def test_an_organizations_own_limit_binds_its_people_and_keys_together(cast: Cast) -> None:
    set_limit(cast, 5)
    first = cast.owner.rest.get("/me/permissions")
    assert first["RateLimit-Policy"] == '60;w=60;name="user", 5;w=60;name="organization"'
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("5", "4")
    assert statuses(RestClient(key_of(cast.editor)[1]), 5) == [200] * 4 + [429]
    refused = cast.viewer.rest.get("/me/permissions")
    assert (refused.status_code, refused["RateLimit-Limit"], refused["RateLimit-Remaining"]) == (429, "5", "0")
    assert int(refused["Retry-After"]) > 0
    assert statuses(cast.stranger.rest, 6) == [200] * 6, "another organization is not concerned"


def test_it_may_be_higher_than_the_platforms_and_is_the_platforms_without_one(cast: Cast) -> None:
    assert cast.owner.rest.get("/me/permissions")["RateLimit-Policy"].endswith('40;w=60;name="organization"')
    set_limit(cast, 100)
    told = cast.owner.rest.get("/me/permissions")
    assert told["RateLimit-Policy"].endswith('100;w=60;name="organization"')
    assert told["RateLimit-Limit"] == "60", "the person's own limit is the tightest now"
    set_limit(cast, None)
    assert cast.owner.rest.get("/me/permissions")["RateLimit-Limit"] == "40"


def test_the_chosen_organization_counts_for_people_of_two(cast: Cast) -> None:
    set_limit(cast, 2)
    other = MembershipFactory(user=cast.owner.user, organization=cast.sample("foreign-organization"))
    person = cast.owner
    assert statuses(person.rest, 3) == [200, 200, 429]
    person.organization_id = other.organization_id
    there = RestClient(access_token(person))
    assert statuses(there, 3) == [200] * 3


@pytest.mark.parametrize("bad", [0, -1, "many", 1.5, 2**40])
def test_a_bad_limit_is_refused(cast: Cast, bad: Any) -> None:
    url = f"/organizations/{cast.sample('organization').pk}/quotas"
    answer = cast.platform.rest.patch(url, {"max_calls_per_minute": bad})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["max_calls_per_minute"])
    assert Organization.objects.get(pk=cast.sample("organization").pk).max_calls_per_minute is None


def test_only_the_platform_sets_it_and_everybody_reads_it(cast: Cast) -> None:
    organization = cast.sample("organization")
    url = f"/organizations/{organization.pk}/quotas"
    refused = cast.admin.rest.patch(url, {"max_calls_per_minute": 1000})
    assert (refused.status_code, refused.json()["params"]["needs"]) == (403, "platform administrator")
    found = {row["name"]: row for row in cast.viewer.rest.get(url).json()}["max_calls_per_minute"]
    assert (found["limit"], found["is_default"], found["used"]) == (40, True, 2)
    set_limit(cast, 30)
    found = {row["name"]: row for row in cast.viewer.rest.get(url).json()}["max_calls_per_minute"]
    assert (found["limit"], found["is_default"], found["left"]) == (30, False, 30 - found["used"])
    (event,) = AuditEvent.objects.filter(action="quota.changed")
    assert readable([event])[0].after == {"max_calls_per_minute": 30}


def test_the_page_shows_it_and_the_admin_sets_it(cast: Cast) -> None:
    organization = cast.sample("organization")
    page = cast.viewer.portal.get("/organization/").content.decode()
    assert "40 of 40 left" in page
    assert "holds for every organization that has none of its own" in page
    body = {
        "company": organization.company,
        "join_policy": "approval",
        "join_role": "guest",
        "max_calls_per_minute": "30",
        "reason": "Agreed with them",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    url = f"/admin/organizations/organization/{organization.pk}/change/"
    assert cast.platform.portal.post(url, body).status_code == 302
    organization.refresh_from_db()
    assert organization.max_calls_per_minute == 30
    page = cast.viewer.portal.get("/organization/").content.decode()
    assert "30 of 30 left" in page


def test_without_the_broker_the_use_is_not_told(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(url: str) -> Any:
        raise counters.redis.ConnectionError("away")

    monkeypatch.setattr(counters, "_client", away)
    monkeypatch.setattr(counters, "_away_until", 0.0)
    rows = cast.viewer.rest.get(f"/organizations/{cast.sample('organization').pk}/quotas").json()
    found = {row["name"]: row for row in rows}["max_calls_per_minute"]
    assert (found["limit"], found["used"], found["left"]) == (40, None, None)
    assert "not counted at the moment" in cast.viewer.portal.get("/organization/").content.decode()
