"""Files from addresses that people name (bad-W…): whole, bounded, gone on with after a break."""

import gzip
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from apps.core import outbound
from apps.core.outbound import OutboundError, downloads
from tests.core.test_outbound import Canary, allowed, canary, reply
from tests.security.report import CREDENTIALS

__all__ = ["allowed", "canary"]  # fixtures
pytestmark = pytest.mark.security(CREDENTIALS, "files that are fetched")
CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file"


def fetch(url: str, target: Path, **options: Any) -> int:
    return outbound.download(url, target, **{"most_bytes": 10_000_000, **options})


def refusal(url: str, target: Path, **options: Any) -> str:
    with pytest.raises(OutboundError) as caught:
        fetch(url, target, **options)
    assert not target.exists()
    return caught.value.code


class Server:
    """Gives `content` out by ranges; cuts each of the first `cuts` answers off after `after` bytes."""

    def __init__(self, canary: Canary, content: bytes = CONTENT, *, cuts: int = 0, after: int = 200_000) -> None:
        self.content, self.cuts, self.after = content, cuts, after
        self.tag = '"one"'
        self.sent = 0
        self.asked: list[str | None] = []
        canary.answer = self.answer

    def answer(self, handler: Any) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        begin = 0
        if wanted and handler.headers.get("If-Range") == self.tag:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(self.content) - begin))
        handler.send_header("ETag", self.tag)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        handler.end_headers()
        rest = self.content[begin:]
        if self.cuts:
            self.cuts -= 1
            rest = rest[: self.after]
        self.sent += len(rest)
        handler.wfile.write(rest)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(allowed: Canary, target: Path) -> None:
    Server(allowed)
    told: list[int] = []
    assert fetch(allowed.url, target, on_bytes=told.append) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert told[-1] == len(CONTENT)
    assert os.listdir(target.parent) == ["file"]


def test_after_a_break_only_the_rest_is_asked_for(allowed: Canary, target: Path) -> None:
    server = Server(allowed, cuts=4)
    fetch(allowed.url, target)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(CONTENT).digest()
    assert server.asked == [None, *(f"bytes={200_000 * number}-" for number in (1, 2, 3, 4))]
    assert server.sent == len(CONTENT)


def test_another_process_goes_on_where_one_was_stopped(allowed: Canary, target: Path) -> None:
    server = Server(allowed)

    class Killed(Exception):
        pass

    def kill(size: int) -> None:
        if size > 500_000:
            raise Killed

    with pytest.raises(Killed):
        fetch(allowed.url, target, on_bytes=kill)
    part = target.with_name("file.part").stat().st_size
    assert 0 < part < len(CONTENT)
    fetch(allowed.url, target)
    assert server.asked == [None, f"bytes={part}-"]
    assert target.read_bytes() == CONTENT


def test_a_version_that_changed_meanwhile_is_fetched_from_its_beginning(allowed: Canary, target: Path) -> None:
    server = Server(allowed, cuts=1)
    once = server.answer

    def changing(handler: Any) -> None:
        once(handler)
        server.content, server.tag = CONTENT[::-1], '"two"'

    allowed.answer = changing
    fetch(allowed.url, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_lies_about_ranges_spoils_nothing(allowed: Canary, target: Path) -> None:
    """It says that it goes on, but with another version."""
    server = Server(allowed, cuts=1)
    once = server.answer

    def lying(handler: Any) -> None:
        if handler.headers.get("Range"):
            begin, total = 200_000, len(CONTENT)
            span = f"bytes {begin}-{total - 1}/{total}"
            reply(handler, bytes(total - begin), 206, Content_Range=span, ETag='"three"')
        else:
            once(handler)

    allowed.answer = lying
    fetch(allowed.url, target)
    assert target.read_bytes() == CONTENT


def test_without_a_mark_of_the_version_it_begins_anew(allowed: Canary, target: Path) -> None:
    server = Server(allowed, cuts=2)
    server.tag = 'W/"weak"'
    fetch(allowed.url, target)
    assert server.asked == [None, None, None]
    assert target.read_bytes() == CONTENT


def test_a_server_that_keeps_breaking_off_is_given_up(allowed: Canary, target: Path) -> None:
    server = Server(allowed, cuts=1000, after=100)
    assert refusal(allowed.url, target) == "unreachable"
    assert len(server.asked) == downloads.TRIES


def test_a_busy_server_is_asked_again_and_an_unwilling_one_is_not(allowed: Canary, target: Path) -> None:
    answers = [503, 429, 200]
    allowed.answer = lambda handler: reply(handler, b"content", answers.pop(0))
    assert fetch(allowed.url, target) == 7
    for status in (401, 403, 404, 410):
        allowed.connections = 0
        allowed.answer = lambda handler, status=status: reply(handler, b"no", status)  # type: ignore[misc]
        with pytest.raises(OutboundError) as caught:
            fetch(allowed.url, target.with_name("other"))
        assert (caught.value.code, caught.value.status, allowed.connections) == ("answer_refused", status, 1)


def test_a_redirect_within_what_is_allowed_is_followed(allowed: Canary, target: Path) -> None:
    def answer(handler: Any) -> None:
        if handler.path == "/":
            reply(handler, b"", 302, Location="/file?key=1")
        else:
            reply(handler, handler.path.encode())

    allowed.answer = answer
    fetch(allowed.url, target, headers={"X-Own": "secret"})
    assert target.read_bytes() == b"/file?key=1"
    assert "X-Own" not in allowed.seen, "headers are for the first address alone"


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1/",  # bad-W17
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",  # bad-W18
        "gopher://example.com/",  # bad-W19
        "https://user:pass@example.com/",  # bad-W20
        "https://example.com:6379/",  # bad-W23
        "https://testserver/",  # bad-W29
        "//localhost/",
    ],
)
def test_every_redirect_is_checked_like_the_first_address(place: str, allowed: Canary, target: Path) -> None:
    allowed.answer = lambda handler: reply(handler, b"", 302, Location=place)
    assert refusal(allowed.url, target) in {"url_refused", "address_private"}
    assert allowed.connections == 1


def test_a_loop_of_redirects_ends(allowed: Canary, target: Path) -> None:
    """bad-W28."""
    allowed.answer = lambda handler: reply(handler, b"", 302, Location="/again")
    assert refusal(allowed.url, target) == "redirected"
    assert allowed.connections == downloads.REDIRECTS + 1
    allowed.connections = 0
    assert refusal(allowed.url, target, redirects=0) == "redirected"
    assert allowed.connections == 1


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_too_long_is_not_brought(announced: bool, allowed: Canary, target: Path) -> None:
    """bad-W25."""
    sent = [0]

    def endless(handler: Any) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(10 << 30))
        handler.end_headers()
        for _number in range(1000):
            sent[0] += handler.wfile.write(b"x" * 1_000_000)

    allowed.answer = endless
    assert refusal(allowed.url, target, most_bytes=3_000_000) == "too_large"
    assert sent[0] < 100_000_000
    assert target.with_name("file.part").stat().st_size <= 3_000_000 if not announced else True


@pytest.mark.parametrize("part", ["head", "body"])
def test_who_sends_a_byte_now_and_then_is_given_up(
    part: str, allowed: Canary, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bad-W26."""
    monkeypatch.setattr(downloads, "WINDOW_SECONDS", 0.3)
    monkeypatch.setattr(downloads, "TRIES", 1)
    over = threading.Event()

    def slow(handler: Any) -> None:
        if part == "body":
            handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    allowed.answer = slow
    assert refusal(allowed.url, target) == "too_slow"
    over.set()


def test_packed_answers_and_web_pages_are_no_files(allowed: Canary, target: Path) -> None:
    """bad-W27."""
    bomb = gzip.compress(b"x" * 10_000_000)
    allowed.answer = lambda handler: reply(handler, bomb, Content_Encoding="gzip")
    assert refusal(allowed.url, target) == "answer_unreadable"
    allowed.answer = lambda handler: reply(handler, b"<html>", Content_Type="text/html; charset=utf-8")
    assert refusal(allowed.url, target) == "answer_page"


def test_trouble_with_the_disk_is_not_taken_for_one_of_the_network(allowed: Canary, tmp_path: Path) -> None:
    Server(allowed)
    with pytest.raises(FileNotFoundError):
        fetch(allowed.url, tmp_path / "absent" / "file")
    assert allowed.connections == 1
