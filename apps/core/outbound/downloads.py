"""Files of any size, from addresses that people name, into files of this machine."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from apps.core.outbound.client import PIECE, OutboundSession, Watch
from apps.core.outbound.errors import OutboundError
from apps.core.outbound.origins import Origin

REDIRECTS = 5
#: Less than this in so many seconds, in head or body, is too slow; how long the whole takes is the caller's business.
LEAST_BYTES, WINDOW_SECONDS = 30 * 1024, 30.0
#: How often in a row a break may come with hardly anything new, and the first pause after one; the next are longer.
TRIES, PAUSE_SECONDS = 5, 1.0
NEW_BYTES = 64 * 1024
REDIRECTING = frozenset({301, 302, 303, 307, 308})
#: Statuses after which the same request may succeed.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
PAGES = frozenset({"text/html", "application/xhtml+xml"})

#: Told the bytes that are there, now and then; what it raises ends the download.
OnBytes = Callable[[int], None]


class _Redirected(Exception):
    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


class _Unwritable(Exception):
    """An error of this machine's disk, carried past what takes an `OSError` for one of the network."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class _Pace(Watch):
    """Ends a request that brings too little in any window, however long the whole of it takes."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.sockets = []
        self.arrived = 0
        self._over = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return self._over

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        for sock in self.sockets:
            sock.close()

    def _run(self) -> None:
        before = 0
        while not self._closed.wait(WINDOW_SECONDS):
            if self.arrived - before < LEAST_BYTES:
                self._over = True
                self.end()
                return
            before = self.arrived


@dataclass(slots=True)
class _Part:
    """What has arrived of a file, and beside it what the server calls the version that it is of."""

    file: Path
    notes: Path
    validator: str = ""
    total: int | None = None

    @classmethod
    def of(cls, target: Path) -> "_Part":
        part = cls(target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.json"))
        try:
            found = json.loads(part.notes.read_text(encoding="utf-8"))
            part.validator, part.total = found["validator"], found["total"]
        except (OSError, ValueError, KeyError, TypeError):
            part.restart()
        return part

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def is_whole(self) -> bool:
        return self.total is not None and self.size == self.total > 0

    def restart(self) -> None:
        self.file.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)
        self.validator, self.total = "", None

    def note(self, validator: str, total: int | None) -> None:
        self.validator, self.total = validator, total
        self.notes.write_text(json.dumps({"validator": validator, "total": total}), encoding="utf-8")

    def finish(self, target: Path) -> int:
        size = self.size
        os.replace(self.file, target)
        self.notes.unlink(missing_ok=True)
        return size


class _DownloadSession(OutboundSession):
    """Writes what comes behind what is there."""

    def __init__(self, part: _Part, most_bytes: int, on_bytes: OnBytes) -> None:
        super().__init__(0, most_bytes)
        self.part, self.on_bytes = part, on_bytes

    def watch(self, origin: Origin) -> Watch:
        return _Pace(origin)

    def taken(self, response: requests.Response, watch: Watch) -> requests.Response:
        assert isinstance(watch, _Pace)
        with response:
            try:
                self._check(response)
                with self.part.file.open("ab") as file:
                    self._write(response, watch, file)
            except requests.RequestException:
                raise
            except OSError as error:
                raise _Unwritable(error) from error
        return response

    def _check(self, response: requests.Response) -> None:
        """Notes what is to come, or raises why it is not taken."""
        status, headers = response.status_code, response.headers
        if status in REDIRECTING and headers.get("Location"):
            raise _Redirected(headers["Location"])
        if status not in (200, 206):
            if status == 416:
                self.part.restart()
            raise OutboundError("answer_refused", status)
        if headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
            raise OutboundError("answer_unreadable")
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() in PAGES:
            raise OutboundError("answer_page")
        validator = headers.get("ETag", "") or headers.get("Last-Modified", "")
        begin, total = _range_of(response)
        if begin != self.part.size or (begin and validator != self.part.validator):
            # The whole of it, or of another version.
            self.part.restart()
            if begin:
                raise OutboundError("unreachable")
        if total is not None and total > self.most_bytes:
            raise OutboundError("too_large")
        # A weak one says that two versions mean the same, not that their bytes are.
        self.part.note("" if validator.startswith("W/") else validator, total)

    def _write(self, response: requests.Response, watch: _Pace, file: Any) -> None:
        size = self.part.size
        for piece in _pieces(response):
            size += len(piece)
            if size > self.most_bytes:
                raise OutboundError("too_large")
            file.write(piece)
            watch.arrived += len(piece)
            self.on_bytes(size)
        file.flush()
        if watch.is_over:
            raise OutboundError("too_slow")
        if self.part.total is not None and size != self.part.total:
            raise OutboundError("unreachable")


def download(
    url: str,
    target: Path,
    *,
    most_bytes: int,
    headers: Mapping[str, str] | None = None,
    redirects: int = REDIRECTS,
    on_bytes: OnBytes = lambda size: None,
) -> int:
    """Brings the file at the URL to `target`, and returns its size. Raises `OutboundError`.

    What a break, or the end of this process, leaves beside the target (`.part`, `.json`) is gone on with by the next
    call, where the server can tell that it is still the same version. `headers` go to the first address alone: with
    secrets among them, allow no redirects.
    """
    part = _Part.of(target)
    failures, reached = 0, part.size
    while not part.is_whole:
        on_bytes(part.size)
        if not part.validator:
            part.restart()
        try:
            _follow(url, part, most_bytes, headers or {}, redirects, on_bytes)
            break
        except _Unwritable as unwritable:
            raise unwritable.error from unwritable
        except OutboundError as error:
            gained, reached = part.size - reached, max(part.size, reached)
            failures = 0 if gained >= NEW_BYTES else failures + 1
            if not _is_passing(error) or failures >= TRIES:
                raise
        time.sleep(PAUSE_SECONDS * 2**failures)
    return part.finish(target)


def _follow(
    url: str, part: _Part, most_bytes: int, headers: Mapping[str, str], redirects: int, on_bytes: OnBytes
) -> None:
    """One request, and those that it is sent on to; every address is checked as the first one was."""
    more = {"Range": f"bytes={part.size}-", "If-Range": part.validator} if part.size else {}
    with _DownloadSession(part, most_bytes, on_bytes) as session:
        for hop in range(redirects + 1):
            try:
                session.get(url, headers={**(headers if hop == 0 else {}), **more})
                return
            except _Redirected as redirected:
                url = urljoin(url, redirected.target)
    raise OutboundError("redirected")


def _range_of(response: requests.Response) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the file is; None where the server does not say."""
    length = response.headers.get("Content-Length", "")
    if response.status_code == 200:
        return 0, int(length) if length.isascii() and length.isdigit() else None
    unit, _space, rest = response.headers.get("Content-Range", "").partition(" ")
    begin, _dash, after = rest.partition("-")
    total = after.rpartition("/")[2]
    if unit != "bytes" or not begin.isdigit() or not total.isdigit():
        raise OutboundError("answer_unreadable")
    return int(begin), int(total)


def _pieces(response: requests.Response) -> Any:
    """What the socket has, as it comes; errors of the network as `requests` calls them."""
    while True:
        try:
            piece = response.raw.read1(PIECE, decode_content=False)
        except OSError as error:
            raise requests.ConnectionError(error) from error
        if not piece:
            return
        yield piece


def _is_passing(error: OutboundError) -> bool:
    return error.code in {"unreachable", "too_slow"} or (error.status or 0) in PASSING | {416}
