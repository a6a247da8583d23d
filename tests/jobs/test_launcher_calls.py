"""The calls that launchers make all the time, through the portal's ASGI application (R4, R6)."""

import asyncio
import json
import re
from typing import Any
from uuid import uuid4

import pytest
from asgiref.testing import ApplicationCommunicator
from django.urls import resolve
from modelyard.asgi import application
from modelyard.launchers import VIEWS

from apps.jobs.attempt_api import views
from apps.jobs.models import JobEvent
from tests.jobs.support import Launcher, running

pytestmark = pytest.mark.django_db(transaction=True)


def call(method: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    content = b"" if body is None else json.dumps(body).encode()
    given = {"host": "127.0.0.1", "content-length": str(len(content)), **headers}
    if token:
        given["authorization"] = f"Attempt {token}"
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
    }

    async def talk() -> tuple[dict[str, Any], bytes]:
        caller = ApplicationCommunicator(application, scope)
        half = len(content) // 2
        await caller.send_input({"type": "http.request", "body": content[:half], "more_body": True})
        await caller.send_input({"type": "http.request", "body": content[half:], "more_body": False})
        start = await caller.receive_output(timeout=10)
        answer = await caller.receive_output(timeout=10)
        return start, answer["body"]

    start, answer = asyncio.run(talk())
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], found, json.loads(answer) if "json" in found["content-type"] else answer


def path_of(launcher: Launcher, action: str) -> str:
    return f"/api/attempt/v1/{launcher.attempt.pk}/{action}"


def test_events_are_stored_and_answered_as_by_the_view() -> None:
    launcher = running()
    lines = launcher.lines(("log", {"level": "info", "message": "x" * 3000}), ("log", {"message": "y"}))
    body = {"stream": "trainer", "events": lines}
    status, headers, answer = call("POST", path_of(launcher, "events"), launcher.token, body)
    assert (status, answer["acked"], answer["commands"]) == (200, 3, [])
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
    stored = JobEvent.objects.filter(job_id=launcher.attempt.job_id, stream="trainer").order_by("seq")
    assert [event.data.get("message") for event in stored][1:] == ["x" * 3000, "y"]
    # Once more through Django's usual way: nothing is there twice, and the answer is the same.
    again, said = launcher.send(lines)
    assert (again, said["acked"], set(said)) == (200, 3, set(answer))


def test_the_heartbeat_renews_the_lease() -> None:
    launcher = running()
    before = launcher.attempt.lease_until
    status, _headers, answer = call("POST", path_of(launcher, "heartbeat"), launcher.token, {})
    launcher.attempt.refresh_from_db()
    assert status == 200 and launcher.attempt.lease_until.timestamp() == pytest.approx(answer["lease_until"])
    assert before is None or launcher.attempt.lease_until > before


@pytest.mark.parametrize("token", ["", "somebody-elses"])
def test_who_has_no_token_of_the_attempt_is_refused(token: str) -> None:
    launcher = running()
    status, headers, answer = call("POST", path_of(launcher, "events"), token, {"stream": "trainer", "events": []})
    assert (status, answer["code"]) == (401, "token_invalid")
    assert headers["content-type"] == "application/problem+json"


def test_a_gap_and_a_body_that_is_no_json_are_refused() -> None:
    launcher = running()
    launcher.lines(("log", {"message": "lost"}))
    late = launcher.lines(("log", {"message": "late"}))
    path = path_of(launcher, "events")
    status, _headers, answer = call("POST", path, launcher.token, {"stream": "trainer", "events": late})
    assert (status, answer["code"], answer["acked"]) == (422, "gap", 1)
    assert call("POST", path, launcher.token, "no object")[0] == 422


def test_another_method_and_an_attempt_that_is_not_there() -> None:
    launcher = running()
    assert call("GET", path_of(launcher, "events"), launcher.token)[0] == 405
    assert call("POST", f"/api/attempt/v1/{uuid4()}/heartbeat", launcher.token, {})[0] == 401


def test_a_crash_is_an_answer_and_gives_the_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = running()

    def crash(**_given: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(views.attempts, "attempt_heartbeat", crash)
    assert call("POST", path_of(launcher, "heartbeat"), launcher.token, {})[0] == 500
    monkeypatch.undo()
    assert call("POST", path_of(launcher, "heartbeat"), launcher.token, {})[0] == 200


def test_they_are_the_views_of_the_usual_way() -> None:
    for name, view in VIEWS.items():
        assert resolve(f"/api/attempt/v1/{uuid4()}/{name}").func is view
