"""Bodies are bounded by their path, and large ones taken from nobody unknown, before Django stores them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.urls import get_resolver, resolve
from modelyard import bodies
from modelyard.asgi import application

from apps.core.api.bodies import StreamParser
from apps.core.testing import Cast
from apps.jobs.services.attempts import token_digest

with_rows = pytest.mark.django_db(transaction=True)

CHUNK = bytes(1 << 20)
SMALL = 4 << 20
FILES = "/api/v1/datasets/{datasets}/uploads/{datasets/uploads}/files"
PARTS = "/api/v1/datasets/{datasets}/uploads/{datasets/uploads}/parts"
ANALYZE = "/api/v1/datasets/{datasets}/analyze"
PICTURES = "/api/v1/inference-jobs"
ATTEMPT = "/api/attempt/v1/{attempt}"


class Sender:
    """Sends bodies to the portal as a web server would, and counts how many pieces of them were taken."""

    def __init__(self, method: str, path: str, headers: dict[str, str], pieces: int) -> None:
        self.method, self.path, self.pieces, self.taken = method, path, pieces, 0
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    @async_to_sync
    async def send(self) -> tuple[int, dict[str, str], bytes]:
        path, _mark, query = self.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"testserver"), *self.headers],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
            "scheme": "http",
        }
        portal = ApplicationCommunicator(self._counting, scope)
        start = await portal.receive_output(8)
        answer = await portal.receive_output(8)
        await portal.wait(8)
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, answer.get("body", b"")

    async def _counting(self, scope: Any, receive: Any, send: Any) -> None:
        async def piece() -> dict[str, Any]:
            if self.taken == self.pieces:
                return await receive()  # the connection stays open
            self.taken += 1
            return {"type": "http.request", "body": CHUNK, "more_body": self.taken < self.pieces}

        await application(scope, piece, send)


def refused(status: int, code: str, answer: tuple[int, dict[str, str], bytes]) -> None:
    found, headers, body = answer
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert json.loads(body)["code"] == code
    assert int(headers["content-length"]) == len(body)


@pytest.fixture
def attempt_headers(cast: Cast) -> dict[str, str]:
    attempt = cast.sample("attempt")
    attempt.token_hash = token_digest("launcher")
    attempt.save(update_fields=["token_hash"])
    return {"Authorization": "Attempt launcher"}


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/account/login/", "/api/v1/projects", "/nowhere"])
def test_a_small_paths_long_body_is_refused_by_its_announced_length(path: str) -> None:
    sender = Sender("POST", path, {"Content-Length": str(SMALL + 1)}, 5)
    refused(413, "too_large", sender.send())
    assert sender.taken == 0


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/account/login/", "/api/v1/projects", "/nowhere"])
@pytest.mark.parametrize(
    "announced", [{}, {"Content-Length": "10"}, {"Content-Length": "x"}], ids=["no", "less", "odd"]
)
def test_a_small_paths_long_body_is_cut_off_while_it_comes_in(path: str, announced: dict[str, str]) -> None:
    sender = Sender("POST", path, announced, 1000)
    refused(413, "too_large", sender.send())
    assert sender.taken == 5


@with_rows
def test_a_body_as_long_as_allowed_reaches_the_view() -> None:
    sender = Sender(
        "POST", "/api/v1/auth/token", {"Content-Length": str(SMALL), "Content-Type": "application/json"}, 4
    )
    status, _headers, body = sender.send()
    assert (status, json.loads(body)["code"], sender.taken) == (400, "parse_error", 4)


@with_rows
@pytest.mark.parametrize(("method", "path"), [("PUT", FILES), ("POST", ANALYZE), ("POST", PICTURES)])
def test_nobody_unknown_sends_a_file(cast: Cast, method: str, path: str) -> None:
    for length in ({}, {"Content-Length": str(SMALL + 1)}):
        for sign_in in ({}, {"Authorization": "Bearer x"}, {"Cookie": "sessionid=x"}):
            sender = Sender(method, cast.path(path), {**sign_in, **length}, 5)
            answer = sender.send()
            assert answer[1]["www-authenticate"] == "Bearer"
            refused(401, json.loads(answer[2])["code"], answer)
            assert sender.taken == 0, (length, sign_in)


@with_rows
@pytest.mark.parametrize("token", [{}, {"Authorization": "Attempt wrong"}], ids=str)
@pytest.mark.parametrize(
    ("method", "call"), [("PUT", "files"), ("POST", "events"), ("POST", "hello"), ("POST", "end")]
)
def test_nobody_without_the_attempts_token_sends_what_is_large(
    cast: Cast, attempt_headers: dict[str, str], method: str, call: str, token: dict[str, str]
) -> None:
    sender = Sender(method, f"{cast.path(ATTEMPT)}/{call}", token, 5)
    refused(401, "token_invalid", sender.send())
    assert sender.taken == 0


@with_rows
def test_programs_people_and_launchers_send_their_files(cast: Cast, attempt_headers: dict[str, str]) -> None:
    session = cast.editor.portal.cookies
    cookies = {"Cookie": f"sessionid={session['sessionid'].value}; csrftoken={'c' * 32}", "X-CSRFToken": "c" * 32}
    path = cast.path(FILES)
    for number, headers in enumerate(({"Authorization": f"Bearer {cast.editor.token}"}, cookies)):
        sender = Sender("PUT", f"{path}?path=images/{number}.bin", headers, 6)
        status, _headers, body = sender.send()
        assert (status, json.loads(body).get("size"), sender.taken) == (200, 6 << 20, 6), body
    launcher = Sender("POST", f"{cast.path(ATTEMPT)}/events", attempt_headers, 6)
    assert launcher.send()[0] == 422, "zeros are no JSON"
    assert launcher.taken == 6


@with_rows
@pytest.mark.parametrize(("method", "path"), [("PUT", FILES), ("POST", ANALYZE), ("POST", PICTURES)])
def test_each_door_has_its_own_limit(cast: Cast, monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    door, _found = bodies.door_of(method, cast.path(path))
    assert door is not None
    headers = {"Authorization": f"Bearer {cast.editor.token}"}
    sender = Sender(method, cast.path(path), {**headers, "Content-Length": str(door.limit + 1)}, 1)
    refused(413, "too_large", sender.send())
    lower = [bodies.Door(one.method, one.path, 6 << 20, one.proof) for one in bodies.DOORS]
    monkeypatch.setattr(bodies, "DOORS", lower)
    sender = Sender(method, cast.path(path), headers, 1000)
    refused(413, "too_large", sender.send())
    assert sender.taken == 7


@with_rows
def test_an_attempts_events_have_their_own_limit(cast: Cast, attempt_headers: dict[str, str]) -> None:
    sender = Sender("POST", f"{cast.path(ATTEMPT)}/events", attempt_headers, 1000)
    refused(413, "too_large", sender.send())
    assert sender.taken == 17


def test_refusals_speak_the_senders_language() -> None:
    headers = {"Content-Length": str(SMALL + 1), "Accept-Language": "ko"}
    body = Sender("POST", "/api/v1/auth/token", headers, 1).send()[2]
    assert json.loads(body)["detail"] == "요청이 너무 큽니다."


@with_rows
def test_doors_stand_before_views_that_are_there_and_every_view_of_streams_has_one(cast: Cast) -> None:
    paths = [("PUT", FILES), ("POST", ANALYZE), ("PUT", PARTS), ("POST", PICTURES)]
    paths += [("PUT", f"{ATTEMPT}/files"), *(("POST", f"{ATTEMPT}/{call}") for call in ("hello", "events", "end"))]
    for method, template in paths:
        path = cast.path(template)
        resolve(path)
        assert bodies.door_of(method, path)[0] is not None, path
    streams = [entry for entry in _views(get_resolver()) if StreamParser in entry.initkwargs.get("parser_classes", ())]
    doors = {resolve(cast.path(path)).func.actions.get(method.lower()) for method, path in paths[:3]}
    # What is only read has no body.
    taking = {action for view in streams for method, action in view.actions.items() if method not in ("get", "head")}
    assert taking == doors == {"files", "analyze", "part"}


def _views(resolver: Any) -> Iterator[Any]:
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern)
        elif hasattr(pattern.callback, "initkwargs") and hasattr(pattern.callback, "actions"):
            yield pattern.callback
