"""Bad input that every REST operation must stand, tried on each operation that it fits."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db.models import Model
from rest_framework.throttling import SimpleRateThrottle

from apps.audit.models import AuditEvent
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import Cast
from apps.core.testing.openapi import PROBLEM, Endpoint, endpoints
from tests.security.report import BAD_INPUT, FULL
from tests.security.test_tenancy import body_of, filled, rest_row

pytestmark = [
    pytest.mark.security(BAD_INPUT, "REST operations in general"),
    pytest.mark.world("owner", "admin", "stranger", "dataset"),
]

#: What decides who may do what, and whose something is.
NOT_ONES_TO_SET = (
    "created_by_id",
    "deleted_at",
    "email",
    "id",
    "is_active",
    "is_staff",
    "is_superuser",
    "organization_id",
    "password",
    "token_generation",
    "user_id",
)
NO_IDS = (str(2**63), "%00", *(("-1", "' OR 1=1--", "9" * 300, "\N{SNOWMAN}") if FULL else ()))


def chosen(name: str, fits: Callable[[Endpoint], Any]) -> Any:
    """Each fitting operation as a parameter, under the name of the bad input."""
    found = [endpoint for endpoint in endpoints() if fits(endpoint)]
    assert found
    ids = [f"bad-{name}-{endpoint.operation_id}" for endpoint in found]
    return pytest.mark.parametrize("endpoint", found, ids=ids)


def takes_json(endpoint: Endpoint) -> bool:
    return "application/json" in endpoint.description.get("requestBody", {}).get("content", {})


def is_list(endpoint: Endpoint) -> bool:
    return any(part["name"] == "page_size" for part in endpoint.description.get("parameters", []))


def address(cast: Cast, endpoint: Endpoint) -> str:
    return f"/{filled(cast, endpoint.path, rest_row(endpoint))}"


def assert_problem(answer: Any, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.content
    assert answer["Content-Type"].split(";")[0] == PROBLEM
    assert answer.json()["code"] and answer.json()["detail"]


def subject(cast: Cast, endpoint: Endpoint) -> Model:
    """The row that the operation changes."""
    names = [part for part in endpoint.path.split("/")[3:] if not part.startswith("{")]
    return cast.admin.user if names == ["me"] else cast.sample("/".join(names))


@chosen("X01", lambda endpoint: endpoint.method == "PATCH")
def test_nobody_assigns_owner_rights_or_organization_by_a_change(endpoint: Endpoint, cast: Cast) -> None:
    row = subject(cast, endpoint)
    row.refresh_from_db()
    before = {name: getattr(row, name) for name in NOT_ONES_TO_SET if hasattr(row, name)}
    assert before
    stranger = cast.stranger
    values = {
        "created_by": str(stranger.user.pk),
        "deleted_at": "2020-01-01T00:00:00Z",
        "email": "taken@example.com",
        "id": "01900000-0000-7000-8000-000000000000",
        "is_active": False,
        "is_staff": True,
        "is_superuser": True,
        "organization": str(stranger.organization_id),
        "organization_id": str(stranger.organization_id),
        "password": "x",
        "token_generation": 0,
        "user_id": str(stranger.user.pk),
    }
    answer = cast.admin.rest.patch(address(cast, endpoint), values)
    assert answer.status_code < 500
    row.refresh_from_db()
    assert {name: getattr(row, name) for name in before} == before


@chosen("X02", is_list)
def test_lists_are_neither_ordered_nor_filtered_by_what_is_not_offered(endpoint: Endpoint, cast: Cast) -> None:
    path = address(cast, endpoint)
    cast.sample("project")
    plain = cast.admin.rest.get(path).json()["results"]
    for query in (
        "ordering=password",
        "ordering=-created_by__password",
        "created_by__password__startswith=md5",
        "organization__memberships__user__email__contains=@",
        "id__gt=0",
    ):
        assert cast.admin.rest.get(f"{path}?{query}").json()["results"] == plain, query


@chosen("X03", is_list)
def test_an_absurd_page_is_bounded_or_refused(endpoint: Endpoint, cast: Cast) -> None:
    path = address(cast, endpoint)
    for size in (10**9, 2**63, -1, 0, "x", "1e9", "%00"):
        answer = cast.admin.rest.get(f"{path}?page_size={size}")
        assert answer.status_code in {200, 400}, size
        assert answer.status_code == 400 or len(answer.json()["results"]) <= 200
    for cursor in ("garbage", "cD0n", "%FF%00", "bz0xMDAwMDAwMDAwMDAw"):
        assert cast.admin.rest.get(f"{path}?cursor={cursor}").status_code in {200, 400, 404}, cursor


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in is slowed down; here the body counts."""
    monkeypatch.setattr(SimpleRateThrottle, "allow_request", lambda *arguments: True)


@pytest.mark.usefixtures("unlimited")
@chosen("X05", takes_json)
def test_deep_endless_and_wrong_documents_are_refused(endpoint: Endpoint, cast: Cast, settings: Any) -> None:
    path, client = address(cast, endpoint), cast.admin.rest
    before = AuditEvent.objects.count()
    for body in ("[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"name": "\ud800"', "{", "nul"):
        content = body.encode("utf-8", "surrogatepass")
        answer = client.generic(endpoint.method, path, content, content_type="application/json")
        assert_problem(answer, 400)
        assert answer.json()["code"] == "parse_error"
    for document in ([], [{}], "text", 7, True, None):
        answer = client.generic(endpoint.method, path, json.dumps(document), content_type="application/json")
        assert_problem(answer, 400)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    long = json.dumps({"name": "x" * 1000})
    assert_problem(client.generic(endpoint.method, path, long, content_type="application/json"), 413)
    assert_problem(client.generic(endpoint.method, path, b"\0", content_type="application/x-unknown"), 415)
    assert AuditEvent.objects.count() == before


@chosen("X06", lambda endpoint: "{" in endpoint.path)
def test_ids_that_are_none_are_not_found(endpoint: Endpoint, cast: Cast) -> None:
    right = address(cast, endpoint).partition("?")[0]
    body = body_of(rest_row(endpoint), cast)
    client = cast.platform.rest
    before = AuditEvent.objects.count()
    places = [place for place, part in enumerate(endpoint.path.split("/")[2:]) if part.startswith("{")]
    for place in places:
        for key in NO_IDS:
            parts = right.split("/")
            parts[place] = key
            answer = getattr(client, endpoint.method.lower())("/".join(parts), body)
            assert_problem(answer, 404)
    assert AuditEvent.objects.count() == before


HOSTS = ["evil.example", "testserver.evil.example", "evil.example:80", "a b", "testserver@evil"]


@pytest.mark.parametrize("host", HOSTS, ids=[f"bad-X08-{host}" for host in HOSTS])
def test_another_host_is_refused_and_gets_into_no_mail(cast: Cast, host: str) -> None:
    assert_problem(cast.admin.rest.get("/me", headers={"Host": host}), 400)
    email = {"email": cast.owner.user.email}
    assert cast.anonymous.portal.post("/account/password/reset/", email, headers={"Host": host}).status_code == 400
    deliver_waiting()
    assert mail.outbox == []


def test_a_forwarded_host_changes_no_link(cast: Cast) -> None:
    for _number in range(2):
        assert cast.admin.rest.post("/projects", {"name": f"Page {_number}"}).status_code == 201
    forwarded = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Original-Host": "evil.example",
    }
    page = cast.admin.rest.get("/projects?page_size=1", headers=forwarded)
    assert page.json()["next"].startswith("http://testserver/api/v1/projects")
    cast.anonymous.portal.post("/account/password/reset/", {"email": cast.owner.user.email}, headers=forwarded)
    deliver_waiting()
    assert "evil.example" not in mail.outbox[0].body
