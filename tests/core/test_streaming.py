"""Large answers are made while they are sent, whichever way the portal is run."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.asgi import get_asgi_application

from apps.core.api.streaming import TURN_BYTES, StreamedResponse
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.training.models import Checkpoint
from tests.factories.datasets import DatasetFactory, published, shapes

CHUNK = bytes(1024 * 1024)


async def test_no_more_is_made_than_is_sent() -> None:
    made = 0

    def chunks() -> Iterator[bytes]:
        nonlocal made
        for made in range(1, 65):
            yield CHUNK

    sent = 0
    async for part in StreamedResponse(chunks()):
        sent += len(part)
        assert made * len(CHUNK) == sent
    assert sent == 64 * len(CHUNK)


async def test_small_pieces_are_sent_together() -> None:
    lines = [f"line {number}\n" for number in range(100_000)]
    parts = [part async for part in StreamedResponse(iter(lines))]
    assert b"".join(parts) == "".join(lines).encode()
    assert len(parts) <= sum(map(len, lines)) // TURN_BYTES + 1


async def test_nothing_is_sent_of_nothing() -> None:
    assert [part async for part in StreamedResponse(iter(()))] == []


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_leaves_the_portal_as_it_is_read(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def chunks(key: str) -> Iterator[bytes]:
        nonlocal made
        for made in range(1, 33):
            yield CHUNK

    Checkpoint.objects.filter(pk=cast.sample("checkpoint").pk).update(size=32 * len(CHUNK))
    path = cast.path("/api/v1/training-jobs/{training-job}/checkpoints/{checkpoint}/content")
    token = cast.owner.token
    monkeypatch.setattr(type(storage()), "open", lambda store, key: chunks(key))
    assert _made_at_first_byte(path, token, lambda: made) <= 2


@pytest.mark.django_db(transaction=True)
async def test_who_reads_slowly_keeps_no_connection_from_others(cast: Cast, settings: Any) -> None:
    """One more than there are connections stop before the first byte; another organization's people go on working."""
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    path, query, stranger = await sync_to_async(_link_to_a_file)(cast)
    readers = [SlowReader(path, query) for _number in range(pool + 1)]
    asked = [asyncio.create_task(reader.ask()) for reader in readers]
    for reader in readers:
        await asyncio.wait_for(reader.waits.wait(), 60)
    other = SlowReader("/api/v1/projects", token=stranger)
    other.reads.set()
    await asyncio.wait_for(other.ask(), 30)
    assert other.status == 200
    for reader in readers:
        reader.reads.set()
    await asyncio.gather(*asked)
    assert {reader.status for reader in readers} == {200}


def _link_to_a_file(cast: Cast) -> tuple[str, str, str]:
    dataset = published(DatasetFactory(project=cast.sample("project")), shapes())
    body = {"path": min(shapes())}
    link = cast.viewer.rest.post(f"/datasets/{dataset.pk}/download", body, format="json").json()["url"]
    path, _mark, query = link.split("testserver")[1].partition("?")
    return path, query, cast.stranger.token


class SlowReader:
    """A request whose answer is read when the test says so."""

    def __init__(self, path: str, query: str = "", *, token: str = "") -> None:
        self.scope = _scope(path, token, query)
        self.waits, self.reads = asyncio.Event(), asyncio.Event()
        self.status = 0
        self._sent = [{"type": "http.request", "body": b"", "more_body": False}]

    async def ask(self) -> None:
        await get_asgi_application()(self.scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            await asyncio.Event().wait()
        return self._sent.pop()

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self.waits.set()
            await self.reads.wait()


def _scope(path: str, token: str = "", query: str = "") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver")] + ([(b"authorization", f"Bearer {token}".encode())] if token else []),
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "scheme": "http",
    }


def _made_at_first_byte(path: str, token: str, made: Callable[[], int]) -> int:
    @async_to_sync
    async def ask() -> int:
        portal = ApplicationCommunicator(get_asgi_application(), _scope(path, token))
        await portal.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await portal.receive_output(10)
        assert start["status"] == 200, start
        await portal.receive_output(10)
        found = made()
        await portal.wait(10)
        return found

    return ask()


def test_every_answer_of_unknown_length_is_streamed_so() -> None:
    own = settings.BASE_DIR / "apps/core/api/streaming.py"
    files = [path for path in (settings.BASE_DIR / "apps").rglob("*.py") if path != own]
    assert not [path for path in files if re.search(r"\b(StreamingHttpResponse|FileResponse)\(", path.read_text())]
