"""Limits, their headers, and what is counted of every request."""

import re
import statistics
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import timezone, translation

from apps.apikeys import counters, latency, selectors
from apps.apikeys.endpoints import catalogue, endpoint_of
from apps.apikeys.models import ApiKey, EndpointUsage
from apps.apikeys.services import usage
from apps.core.testing import Cast, RestClient, assert_constant_queries
from apps.core.testing.openapi import endpoints
from tests.factories.apikeys import key_of
from tests.factories.organizations import MembershipFactory


@pytest.fixture
def limits(settings: Any) -> dict[str, int]:
    settings.RATE_LIMITS = {"key": 5, "user": 8, "organization": 12}
    return settings.RATE_LIMITS


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the limits stands still in the middle of a minute; a test moves it."""
    moment = [1_800_000_030.0]
    monkeypatch.setattr(counters.time, "time", lambda: moment[0])
    return moment


def statuses(client: RestClient, count: int) -> list[int]:
    return [client.get("/me/permissions").status_code for _number in range(count)]


def test_a_key_has_its_limit_and_is_told_so(cast: Cast, limits: Any) -> None:
    client = RestClient(key_of(cast.owner)[1])
    first = client.get("/me/permissions")
    told = {name: first[name] for name in first.headers if name.startswith("RateLimit")}
    assert told == {
        "RateLimit-Limit": "5",
        "RateLimit-Remaining": "4",
        "RateLimit-Reset": "30",
        "RateLimit-Policy": '5;w=60;name="key", 8;w=60;name="user", 12;w=60;name="organization"',
    }
    assert statuses(client, 4) == [200] * 4
    refused = client.get("/me/permissions")
    assert (refused.status_code, refused.json()["code"], refused["Content-Type"]) == (
        429,
        "throttled",
        "application/problem+json",
    )
    assert int(refused["Retry-After"]) == 30
    assert refused["RateLimit-Remaining"] == "0"


def test_the_window_slides_and_refused_requests_do_not_count(cast: Cast, limits: Any, one_minute: list[float]) -> None:
    client = RestClient(key_of(cast.owner)[1])
    assert statuses(client, 9) == [200] * 5 + [429] * 4
    one_minute[0] += 30  # the next minute begins: all five still count
    assert statuses(client, 1) == [429]
    wait = int(client.get("/me/permissions")["Retry-After"])
    one_minute[0] += wait + 1
    assert statuses(client, 2) == [200, 429]
    one_minute[0] += 120
    assert statuses(client, 6) == [200] * 5 + [429]


def test_a_key_of_its_own_limit(cast: Cast, limits: Any) -> None:
    client = RestClient(key_of(cast.owner, calls_per_minute=2)[1])
    assert statuses(client, 3) == [200, 200, 429]
    higher = RestClient(key_of(cast.editor, calls_per_minute=1000)[1])
    assert statuses(higher, 6) == [200] * 5 + [429], "never above the installation's"


def test_keys_share_their_owners_limit_and_people_their_organizations(cast: Cast, limits: Any) -> None:
    first, second = (RestClient(key_of(cast.owner)[1]) for _number in range(2))
    assert statuses(first, 5) == [200] * 5
    assert statuses(second, 4) == [200] * 3 + [429]
    assert second.get("/me/permissions")["RateLimit-Limit"] == "8"
    colleague = RestClient(key_of(cast.editor)[1])
    assert statuses(colleague, 5) == [200] * 4 + [429]
    assert colleague.get("/me/permissions")["RateLimit-Limit"] == "12"
    assert statuses(RestClient(key_of(cast.stranger)[1]), 1) == [200]


def test_tokens_and_pages_scripts_have_limits_too(cast: Cast, limits: Any) -> None:
    assert statuses(cast.owner.rest, 9) == [200] * 8 + [429]
    answer = cast.editor.portal.get("/api/v1/me")
    assert answer["RateLimit-Limit"] == "12"


def test_without_the_broker_requests_go_on(cast: Cast, limits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = RestClient(key_of(cast.owner)[1])

    def away(url: str) -> Any:
        raise counters.redis.ConnectionError("away")

    monkeypatch.setattr(counters, "_client", away)
    monkeypatch.setattr(counters, "_away_until", 0.0)
    assert statuses(client, 7) == [200] * 7
    assert "RateLimit-Limit" not in client.get("/me/permissions")


# --- Counting


def test_calls_errors_and_durations_are_counted_without_a_write_and_flushed(cast: Cast) -> None:
    key, secret = key_of(cast.owner, "projects.view_project")
    client = RestClient(secret)
    project = cast.sample("project")
    client.get("/projects")
    with CaptureQueriesContext(connection) as captured:
        for _number in range(3):
            assert client.get(f"/projects/{project.pk}").status_code == 200
    assert not [q for q in captured.captured_queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    client.get("/projects/0190a5d0-0000-7000-8000-000000000000")
    cast.owner.rest.get("/projects")
    assert EndpointUsage.objects.count() == 0
    assert usage.usage_flush() > 0
    row = EndpointUsage.objects.get(key=key, endpoint="GET /api/v1/projects/{}")
    assert (row.calls, row.client_errors, row.server_errors, sum(row.histogram)) == (4, 1, 0, 4)
    assert row.organization_id == key.organization_id
    assert EndpointUsage.objects.get(key=None, endpoint="GET /api/v1/projects").calls == 1
    client.get(f"/projects/{project.pk}")
    usage.usage_flush()
    row.refresh_from_db()
    assert (row.calls, sum(row.histogram)) == (5, 5)
    assert usage.usage_flush() == 0


def test_counts_of_what_was_deleted_meanwhile_are_dropped(cast: Cast) -> None:
    key, secret = key_of(cast.owner)
    RestClient(secret).get("/projects")
    ApiKey.objects.filter(pk=key.pk).delete()
    usage.usage_flush()
    assert not EndpointUsage.objects.filter(endpoint="GET /api/v1/projects").exists()


def test_what_the_database_refuses_is_counted_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast.owner.rest.get("/projects")

    def refused(**fields: Any) -> int:
        raise RuntimeError("no database")

    with monkeypatch.context() as patched:
        patched.setattr(usage, "usage_add", refused)
        with pytest.raises(RuntimeError):
            usage.usage_flush()
    usage.usage_flush()
    assert EndpointUsage.objects.get(endpoint="GET /api/v1/projects").calls == 1


def test_old_hours_are_forgotten(cast: Cast) -> None:
    found = cast.sample("apikeys.EndpointUsage")
    assert usage.usage_sweep() == 0
    EndpointUsage.objects.filter(pk=found.pk).update(hour=timezone.now() - timedelta(days=91))
    assert usage.usage_sweep() == 1


def test_percentiles_stay_within_an_eighth_of_the_truth() -> None:
    values = [1.0 * 1.01**number for number in range(900)]
    histogram = [0] * latency.STEPS
    for value in values:
        histogram[latency.step_of(value)] += 1
    for share in (0.5, 0.95):
        truth = statistics.quantiles(values, n=100)[round(share * 100) - 1]
        assert latency.percentile(histogram, share) == pytest.approx(truth, rel=0.125)
    assert latency.percentile([0] * latency.STEPS, 0.5) is None
    assert latency.percentile([0] * (latency.STEPS - 1) + [3], 0.95) > latency.ENDS[-1]


# --- The catalogue


def test_every_endpoint_of_the_schema_is_in_the_catalogue_under_the_name_of_its_calls(cast: Cast, rf: Any) -> None:
    assert {found.operation_id for found in catalogue()} == {found.operation_id for found in endpoints()}
    for found in catalogue():
        path = found.path
        for filler in product(
            ("0190a5d0-0000-7000-8000-000000000000", "1", "yolo", "jobs.job"), repeat=found.path.count("{")
        ):
            path = re.sub(r"\{\w+\}", "{}", found.path).format(*filler)
            if "<path:rest>" not in resolve(path).route:
                break
        request = rf.generic(found.method, path)
        request.resolver_match = resolve(path)
        assert endpoint_of(request) == found.name, path


def test_the_catalogue_speaks_the_readers_language(cast: Cast) -> None:
    (sign_in,) = (found for found in catalogue() if found.name == "POST /api/v1/auth/token")
    with translation.override("ko"):
        korean = sign_in.said
    assert korean != sign_in.summary
    cast.owner.portal.cookies["django_language"] = "ko"
    page = cast.owner.portal.get("/api-keys/endpoints/?q=갱신 토큰을 받습니다")
    assert korean in page.content.decode()
    assert "/api/v1/projects" not in page.content.decode()


def test_managers_see_the_organizations_calls_and_others_their_own_keys(cast: Cast) -> None:
    cast.sample("apikeys.EndpointUsage")
    EndpointUsage.objects.create(
        hour=timezone.now(),
        organization=cast.sample("organization"),
        endpoint="GET /api/v1/projects",
        calls=5,
        histogram=[5] + [0] * (latency.STEPS - 1),
    )

    def calls(person: Any) -> int:
        rows = person.rest.get("/api-endpoints?days=1").json()
        return next(row["calls"] for row in rows if row["operation_id"] == "projects_list")

    assert [calls(person) for person in (cast.manager, cast.admin, cast.owner, cast.editor, cast.stranger)] == [
        15,
        15,
        10,
        0,
        0,
    ]
    rows = cast.owner.rest.get("/api-endpoints").json()
    found = next(row for row in rows if row["operation_id"] == "projects_list")
    assert (found["client_errors"], found["server_errors"]) == (2, 0)
    assert 0 < found["p50_ms"] <= found["p95_ms"] < latency.ENDS[11]


def test_usage_of_a_key_by_day_and_endpoint(cast: Cast) -> None:
    key = cast.sample("apikeys.EndpointUsage").key
    found = cast.owner.rest.get(f"/api-keys/{key.pk}/usage?days=7").json()
    assert len(found["days"]) == 7
    assert (found["days"][-1]["calls"], found["days"][-1]["errors"]) == (10, 2)
    assert [row["endpoint"] for row in found["endpoints"]] == ["GET /api/v1/projects"]
    assert found["total"]["calls"] == 10
    assert cast.member.rest.get(f"/api-keys/{key.pk}/usage").status_code == 404
    assert cast.owner.rest.get(f"/api-keys/{key.pk}/usage?days=x").status_code == 400


def test_hours_and_keys_are_summed_by_the_database_in_as_many_rows_as_there_are_endpoints(cast: Cast) -> None:
    key, hour = cast.sample("apikeys.EndpointUsage").key, timezone.now().replace(minute=0, second=0, microsecond=0)
    slow = [0] * 20 + [30] + [0] * (latency.STEPS - 21)

    def add(count: int) -> None:
        for _number in range(count):
            back = timedelta(hours=EndpointUsage.objects.count())
            EndpointUsage.objects.create(
                hour=hour - back,
                organization=key.organization,
                key=key,
                endpoint="GET /api/v1/projects",
                calls=30,
                server_errors=1,
                histogram=slow,
            )

    add(1)
    (row,) = cast.owner.rest.get(f"/api-keys/{key.pk}/usage?days=7").json()["endpoints"]
    assert (row["calls"], row["client_errors"], row["server_errors"]) == (40, 2, 1)
    # Thirty of the forty answers are in the slow step.
    assert latency.ENDS[19] < row["p50_ms"] <= row["p95_ms"] <= latency.ENDS[20]
    actor = cast.manager.actor
    rows = selectors.usage_rows(actor, days=7)
    assert [(found, traffic.calls) for found, traffic in selectors.keys_with_traffic(rows)] == [(key, 40)]
    assert_constant_queries(lambda: cast.manager.portal.get("/api-keys/endpoints/"), add_rows=add)
    assert len(rows.summed_by("endpoint")) == 1


def test_lists_of_keys_cost_the_same_for_many(cast: Cast) -> None:
    project = cast.sample("project")
    client = cast.admin.rest

    def add(count: int) -> None:
        for _number in range(count):
            key_of(cast.owner, "projects.view_project", projects=[project])

    assert_constant_queries(lambda: client.get("/api-keys"), add_rows=add, at_most=8)


def test_a_key_costs_two_queries_to_recognise(cast: Cast) -> None:
    MembershipFactory(user=cast.owner.user)
    client = RestClient(key_of(cast.owner)[1])
    client.get("/ws-tickets")
    with CaptureQueriesContext(connection) as captured:
        assert client.post("/ws-tickets").status_code == 201
    assert len([q for q in captured.captured_queries if "SAVEPOINT" not in q["sql"]]) == 2
