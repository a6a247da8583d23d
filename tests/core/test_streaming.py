"""Large answers are made while they are sent, whichever way the portal is run."""

import re
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.asgi import get_asgi_application

from apps.core.api.streaming import TURN_BYTES, StreamedResponse
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.training.models import Checkpoint

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


def _made_at_first_byte(path: str, token: str, made: Callable[[], int]) -> int:
    @async_to_sync
    async def ask() -> int:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
            "scheme": "http",
        }
        portal = ApplicationCommunicator(get_asgi_application(), scope)
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
