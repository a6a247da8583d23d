"""A database that cannot be asked for a while: the same answer at every door, 503 with when to come back.

The pool is the real one, with every connection of it taken; then the server is away; then it ends a connection in use.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.db import OperationalError, connection
from django.test import AsyncClient
from django.urls import path
from psycopg_pool import ConnectionPool, PoolTimeout

from apps.core.errors.outages import RETRY_SECONDS, outage_of
from apps.core.testing import Cast, SocketClient
from apps.jobs import consumers
from apps.jobs.consumers import CANNOT_ASK, JobConsumer
from apps.projects.models import Project
from tests.jobs.support import make_job

pytestmark = pytest.mark.django_db(transaction=True)
#: Seconds that a request waits for a connection; ten outside of tests.
PATIENCE = 0.5

sockets = CookieMiddleware(SessionMiddleware(URLRouter([path("ws/jobs/<uuid:pk>/", JobConsumer.as_asgi())])))


@contextmanager
def exhausted() -> Iterator[None]:
    """Every connection of the process is at work elsewhere."""
    connection.close()
    pool = connection.pool
    # A connection may outlive the pool that it came from; the next pool opens with its first connection.
    pool.open()
    patience, pool.timeout = pool.timeout, PATIENCE
    held = []
    try:
        # What another thread of the test keeps is taken already.
        with suppress(PoolTimeout):
            while True:
                held.append(pool.getconn())
        yield
    finally:
        pool.timeout = patience
        for one in held:
            pool.putconn(one)


@contextmanager
def away() -> Iterator[None]:
    """Nobody listens where the server was."""
    found = connection.settings_dict
    pool = found["OPTIONS"]["pool"]
    host, patience = found["HOST"], pool["timeout"]
    connection.close()
    connection.close_pool()
    found["HOST"], pool["timeout"] = "/tmp/nobody-listens-here", PATIENCE
    try:
        yield
    finally:
        connection.close()
        connection.close_pool()
        found["HOST"], pool["timeout"] = host, patience


@contextmanager
def ended() -> Iterator[None]:
    """The server has ended the connection that the next request uses."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with connection.pool.connection(timeout=10) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    try:
        yield
    finally:
        connection.close()


OUTAGES = [exhausted, away, ended]


@contextmanager
def at_most_one_wait() -> Iterator[None]:
    """Who has waited for a connection in vain is told so: they do not wait for the next one."""
    waits = []
    getconn = ConnectionPool.getconn

    def noted(pool: Any, timeout: float | None = None) -> Any:
        try:
            return getconn(pool, timeout)
        except PoolTimeout:
            waits.append(pool.name)
            raise

    with patch.object(ConnectionPool, "getconn", noted):
        yield
    assert len(waits) <= 1, waits


def asked(client: Any, method: str, path: str, **more: Any) -> Any:
    """The answer, which came after one wait for a connection, not after several."""
    client.raise_request_exception = False
    with at_most_one_wait():
        answer = getattr(client, method)(path, **more)
    assert (answer.status_code, answer["Retry-After"]) == (503, str(RETRY_SECONDS)), answer.content
    return answer


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_program_is_told_when_to_come_back(cast: Cast, outage: Callable[..., Any], method: str) -> None:
    headers = {"Authorization": f"Bearer {cast.owner.token}", "Idempotency-Key": uuid4().hex}
    client = cast.owner.rest
    assert client.get("/projects").status_code == 200
    client.raise_request_exception = False
    body = {"body": {"name": "Never made"}} if method == "post" else {}
    with outage(), at_most_one_wait():
        answer = getattr(client, method)("/projects", headers=headers, **body)
    assert (answer.status_code, answer["Retry-After"]) == (503, str(RETRY_SECONDS))
    assert answer["Content-Type"] == "application/problem+json"
    found = answer.json()
    assert (found["status"], found["code"]) == (503, "database_unavailable")
    assert found["hint"] and "psycopg" not in answer.content.decode()
    assert not Project.objects.filter(name="Never made").exists()
    assert client.get("/projects").status_code == 200, "it passes by itself"


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize(
    ("person", "path"), [("owner", "/"), ("owner", "/projects/"), ("platform", "/admin/projects/project/")]
)
def test_a_person_gets_a_page_that_says_so(cast: Cast, outage: Callable[..., Any], person: str, path: str) -> None:
    client = getattr(cast, person).portal
    assert client.get(path).status_code == 200
    with outage():
        page = asked(client, "get", path).content.decode()
    assert "very busy" in page and f'href="{path}"' in page
    assert "psycopg" not in page and "Traceback" not in page
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_sign_in_that_cannot_be_checked_is_neither_right_nor_wrong(cast: Cast, outage: Callable[..., Any]) -> None:
    client = cast.anonymous.portal
    assert client.get("/account/login/").status_code == 200
    with outage():
        page = asked(client, "post", "/account/login/", data={"login": "a@example.com", "password": "x"})
    assert "very busy" in page.content.decode() and 'href="/"' in page.content.decode()


@pytest.mark.parametrize("outage", [exhausted, away])
async def test_a_socket_closes_with_the_code_after_which_pages_connect_again(
    cast: Cast, outage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.05)
    job = await sync_to_async(lambda: make_job(project=cast.sample("project")))()
    token = await sync_to_async(lambda: cast.viewer.token)()
    headers = {"authorization": f"Bearer {token}"}
    first = SocketClient(sockets, f"/ws/jobs/{job.pk}/", headers=headers)
    await first.connect()
    assert (await first.receive_json())["type"] == "hello"
    begun, over = outage(), []
    await sync_to_async(begun.__enter__)()
    try:
        late = SocketClient(sockets, f"/ws/jobs/{job.pk}/", headers=headers)
        await late.connect()
        over = [await late.receive_close(), await first.receive_close()]
    finally:
        await sync_to_async(begun.__exit__)(None, None, None)
    assert over == [CANNOT_ASK, CANNOT_ASK]
    again = SocketClient(sockets, f"/ws/jobs/{job.pk}/", headers=headers)
    await again.connect()
    assert (await again.receive_json())["type"] == "hello"
    await again.disconnect()


async def test_the_server_s_own_way_in_answers_so_too(cast: Cast) -> None:
    """Through ASGI views and handlers of errors run in threads of their own."""
    token = await sync_to_async(lambda: cast.owner.token)()
    headers = {"authorization": f"Bearer {token}"}
    begun = exhausted()
    await sync_to_async(begun.__enter__)()
    try:
        client = AsyncClient(raise_request_exception=False)
        answer = await client.get("/api/v1/projects", headers=headers)
    finally:
        await sync_to_async(begun.__exit__)(None, None, None)
    assert (answer.status_code, answer["Retry-After"]) == (503, str(RETRY_SECONDS))


def test_readiness_says_which_part_is_away(client: Any) -> None:
    with exhausted():
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["database"]) == (503, False)


def test_only_what_passes_by_itself_is_an_outage() -> None:
    with exhausted(), pytest.raises(OperationalError) as caught:
        connection.ensure_connection()
    assert isinstance(caught.value.__cause__, PoolTimeout)
    assert outage_of(caught.value) is not None
    assert outage_of(ValueError("broken")) is None and outage_of(None) is None
