"""What the REST edge of every app shares: problems, parsers, pages, request ids, versions."""

import io
import json
import threading
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import connections
from django.http import Http404
from rest_framework import exceptions
from rest_framework.test import APIClient

from apps.core import errors, policy
from apps.core.api.parsers import BoundedJSONParser
from apps.core.api.problems import CONTENT_TYPE, exception_handler
from apps.core.testing import Cast, RestClient
from apps.projects.api.serializers import ProjectSerializer
from apps.projects.models import Project
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory


def handled(error: Exception) -> Any:
    response = exception_handler(error, {})
    assert response is not None
    assert response.content_type == CONTENT_TYPE
    return response


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Invalid("m"), 400, "invalid"),
        (errors.Invalid("m", code="special"), 400, "special"),
        (errors.NotAuthenticated("m"), 401, "not_authenticated"),
        (errors.Forbidden("m"), 403, "forbidden"),
        (errors.NotFound(), 404, "not_found"),
        (errors.Conflict("m"), 409, "conflict"),
        (errors.PreconditionFailed("m"), 412, "changed_meanwhile"),
        (errors.TooLarge("m"), 413, "too_large"),
        (errors.Unavailable("m"), 503, "unavailable"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/x"), 415, "unsupported_media_type"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (RequestDataTooBig(), 413, "too_large"),
        (ValidationError({"name": ["taken"]}), 400, "invalid"),
        (ValidationError("whole"), 400, "invalid"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_becomes_a_problem_with_its_status_and_code(error: Exception, status: int, code: str) -> None:
    body = handled(error).data
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert set(body) >= {"type", "hint", "errors"}


@pytest.mark.django_db
def test_what_the_edge_does_not_know_stays_a_crash() -> None:
    assert exception_handler(ZeroDivisionError(), {}) is None


def test_a_domain_errors_fields_hint_and_params_reach_the_program() -> None:
    error = errors.Conflict(
        "Taken.", code="name_taken", hint="Choose another.", fields={"name": ["Taken."]}, params={"n": 1}
    )
    assert handled(error).data == {
        "type": "about:blank",
        "status": 409,
        "code": "name_taken",
        "detail": "Taken.",
        "hint": "Choose another.",
        "errors": {"name": ["Taken."]},
        "params": {"n": 1},
    }


def test_nested_input_errors_name_their_place() -> None:
    error = exceptions.ValidationError({"items": [{}, {"name": ["Missing."]}], "size": ["Too big."]})
    assert handled(error).data["errors"] == {"items.1.name": ["Missing."], "size": ["Too big."]}


def test_unauthenticated_and_throttled_answers_carry_their_headers() -> None:
    assert handled(errors.NotAuthenticated("m"))["WWW-Authenticate"] == "Bearer"
    assert handled(exceptions.Throttled(wait=7))["Retry-After"] == "7"


def parsed(body: bytes) -> Any:
    return BoundedJSONParser().parse(io.BytesIO(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": "\\u0000"}',
        b'[{"\\ud800": 1}]',
        b'{"a": ["\\udfff"]}',
    ],
    ids=[
        "empty",
        "cut",
        "utf16",
        "deep-list",
        "deep-object",
        "nan",
        "infinity",
        "overflow",
        "long-integer",
        "nul",
        "surrogate-key",
        "surrogate",
    ],
)
def test_bad_json_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(exceptions.ParseError):
        parsed(body)


def test_ordinary_json_passes_unchanged() -> None:
    document = {"a": [1, 2.5, None, True, "텍스트", "😀", "back\\u0000slash"], "b": {"c": -1e-300}}
    assert parsed(json.dumps(document).encode()) == document


def test_a_body_over_the_limit_is_too_large(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert parsed(b'"' + b"x" * 98 + b'"') == "x" * 98
    with pytest.raises(errors.TooLarge):
        parsed(b'"' + b"x" * 99 + b'"')


@pytest.fixture
def projects(cast: Cast) -> list[Project]:
    found = [cast.sample("project")]
    for _number in range(6):
        project = ProjectFactory(organization=cast.sample("organization"))
        ProjectMembershipFactory(project=project, user=cast.owner.user)
        found.append(project)
    return found


def test_pages_hold_every_row_once_in_order_while_rows_are_added(cast: Cast, projects: list[Project]) -> None:
    page = cast.admin.rest.get("/projects?page_size=3").json()
    ProjectFactory(organization=cast.sample("organization"))
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        page = cast.admin.rest.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert seen == [str(project.pk) for project in reversed(projects)]


@pytest.mark.parametrize("size", ["0", "-1", "x", "1000000000", ""])
def test_an_absurd_page_size_is_bounded(cast: Cast, projects: list[Project], size: str) -> None:
    response = cast.admin.rest.get(f"/projects?page_size={size}")
    assert response.status_code == 200
    assert len(response.json()["results"]) == 7


@pytest.mark.parametrize(
    "query",
    [
        "cursor=garbage",
        "cursor=cD0n",
        "search=%00",
        "search=" + "x" * 5000,
        "ordering=password",
        "organization__memberships__user__password__startswith=a",
        "page_size=3&cursor=%FF%FE",
    ],
)
def test_odd_queries_are_refused_or_ignored_and_never_crash(cast: Cast, query: str) -> None:
    cast.sample("project")
    plain = cast.admin.rest.get("/projects").json()
    response = cast.admin.rest.get(f"/projects?{query}")
    assert response.status_code in {200, 400, 404}
    if query.startswith(("ordering", "organization__")):
        assert response.json()["results"] == plain["results"], "unknown filters select nothing"


@pytest.mark.parametrize("key", ["9223372036854775808", "x", "' OR 1=1", "0" * 3000])
def test_unreadable_ids_are_not_found(cast: Cast, key: str) -> None:
    assert cast.admin.rest.get(f"/projects/{key}").status_code == 404


def test_a_well_formed_request_id_is_kept_and_others_are_replaced(cast: Cast) -> None:
    for given, kept in (("client-req-0001", True), ("short", False), ("with space in it", False), ("x" * 65, False)):
        response = cast.owner.rest.get("/me", headers={"X-Request-ID": given})
        assert (response["X-Request-ID"] == given) is kept
        assert len(response["X-Request-ID"]) >= 8


def test_the_request_id_stands_in_the_audit_event(cast: Cast) -> None:
    project = cast.sample("project")
    headers = {"X-Request-ID": "client-req-0001"}
    cast.owner.rest.patch(f"/projects/{project.pk}", {"name": "Renamed"}, headers=headers)
    events = cast.owner.rest.get("/audit-logs?action=project.changed").json()["results"]
    assert [event["request_id"] for event in events] == ["client-req-0001"]


def test_a_change_on_an_old_copy_is_refused(cast: Cast) -> None:
    project = cast.sample("project")
    first = cast.owner.rest.patch(f"/projects/{project.pk}", {"name": "One"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first["ETag"]) == (200, '"2"')
    stale = cast.owner.rest.patch(f"/projects/{project.pk}", {"name": "Two"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["params"] == {"version": 2}
    for header in ('"2"', "*"):
        response = cast.owner.rest.patch(
            f"/projects/{project.pk}", {"name": f"N{header}"[:2]}, headers={"If-Match": header}
        )
        assert response.status_code == 200
    project.refresh_from_db()
    assert project.name != "Two"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/projects/{project}", "description"),
        ("/organizations/{organization}", "division"),
        ("/datasets/{datasets}", "description"),
        ("/experiments/{experiments}", "description"),
        ("/resource-groups/{resource-group}", "description"),
        ("/training-jobs/{training-job}", "name"),
    ],
)
def test_of_two_changes_of_one_version_at_once_one_is_refused(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, path: str, field: str
) -> None:
    address, token = cast.path(path), cast.admin.token
    seen = RestClient(token).patch(address, {})["ETag"]
    gate = threading.Barrier(2)
    require = policy.require

    def together(*arguments: Any) -> None:
        """Both have looked at the version by now, and neither has locked the row."""
        gate.wait(20)
        require(*arguments)

    def change(word: str) -> None:
        try:
            body, headers = {field: f"By the {word}"}, {"If-Match": seen}
            answers.append(RestClient(token).patch(address, body, headers=headers).status_code)
        finally:
            connections.close_all()

    answers: list[int] = []
    threads = [threading.Thread(target=change, args=[word]) for word in ("first", "second")]
    with monkeypatch.context() as patch:
        patch.setattr(policy, "require", together)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(answers) == [200, 412]
    version = int(seen.strip('"'))
    assert RestClient(token).patch(address, {})["ETag"] == f'"{version + 1}"'


@pytest.mark.parametrize("header", ['"x"', '"1.0"', '"-1"', "9" * 400, '"٣"', 'W/"1"'])
def test_a_version_that_cannot_be_read_matches_nothing(cast: Cast, header: str) -> None:
    project = cast.sample("project")
    answer = cast.owner.rest.patch(f"/projects/{project.pk}", {"name": "Other"}, headers={"If-Match": header})
    assert answer.status_code == 412


def test_unknown_paths_and_methods_answer_with_problems(cast: Cast) -> None:
    assert cast.owner.rest.get("/nothing/here").status_code == 404
    assert cast.owner.rest.put("/me", {}).status_code == 405
    assert cast.owner.rest.post("/projects", "name=x", content_type="text/plain").status_code == 415


def test_sessions_need_a_csrf_token_and_bearer_tokens_do_not(cast: Cast) -> None:
    session = RestClient()
    session.handler.enforce_csrf_checks = True
    session.cookies = cast.owner.portal.cookies
    assert session.get("/me").status_code == 200
    assert session.patch("/me", {"name": "Other"}).status_code == 403
    program = RestClient(cast.owner.token)
    program.handler.enforce_csrf_checks = True
    assert program.patch("/me", {"name": "Other"}).status_code == 200


def test_the_kit_refuses_an_answer_that_the_schema_does_not_describe(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    represent = ProjectSerializer.to_representation
    client = RestClient(cast.owner.token)
    project = cast.sample("project")
    assert client.get(f"/projects/{project.pk}").status_code == 200
    for extra, message in (({"secret": 1}, "secret"), ({"version": "two"}, "version")):
        monkeypatch.setattr(
            ProjectSerializer, "to_representation", lambda self, obj, extra=extra: {**represent(self, obj), **extra}
        )
        with pytest.raises(AssertionError, match=message):
            client.get(f"/projects/{project.pk}")
        assert (
            APIClient(HTTP_AUTHORIZATION=f"Bearer {cast.owner.token}")
            .get(f"/api/v1/projects/{project.pk}")
            .status_code
            == 200
        )
