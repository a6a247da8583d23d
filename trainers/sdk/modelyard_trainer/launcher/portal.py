"""Calls to the portal: one connection per thread, retried for ever, the address read again after every failure."""

import http.client
import json
import math
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

FIRST_DELAY = 0.5
LONGEST_DELAY = 5.0
# A portal that starts up may not know any token yet; one that says so this often means it.
UNKNOWN_TOKEN_TRIES = 12
CHUNK = 1 << 18


class Stale(Exception):
    """The portal has given this attempt up (409), or does not know its token: kill the trainer and leave."""


class Abandoned(Exception):
    """The launcher is leaving; the call will not be tried again."""


class Refused(Exception):
    """The portal understood the call and said no; trying again would not help. `problem` is its problem document."""

    def __init__(self, status: int, problem: dict[str, Any]):
        super().__init__(f"{status} {problem.get('code', '')} {problem.get('detail', '')}".strip())
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem


class Changed(Exception):
    """A file became shorter while it was sent; what was announced of it cannot be sent any more."""


class Unreachable(Exception):
    """One try failed in a way that a later one may not."""


class Portal:
    """Where the portal is and how to speak to it; shared by the launcher's threads."""

    def __init__(self, attempt_id: str, token: str, portal_file: Path, *, timeout: float = 30.0):
        self.attempt_id = attempt_id
        self.token = token
        self.portal_file = portal_file
        self.timeout = timeout
        self.leaving = threading.Event()
        self.leave_by = math.inf
        self.last_answer = time.monotonic()
        self.obey: Callable[[list[dict[str, Any]]], None] = lambda commands: None
        self.on_try: Callable[[], None] = lambda: None

    def must_leave(self) -> bool:
        """Whether calls shall not be tried any more: the launcher is leaving, or `leave_by` (monotonic) has come."""
        return self.leaving.is_set() or time.monotonic() >= self.leave_by

    def channel(self) -> "Channel":
        """A connection for one thread."""
        return Channel(self)


class Channel:
    """One thread's connection to the portal. `check` is called before every try and may raise to give up."""

    def __init__(self, portal: Portal):
        self.portal = portal
        self.check: Callable[[], None] = lambda: None
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""
        self._unknown_token = 0

    def post(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Posts JSON and returns the JSON answer. Raises Stale, Refused, Abandoned."""
        # Half a surrogate is passed on: the portal leaves out the line that holds it, and says so.
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return self._retry(lambda: self._json("POST", action, raw, "application/json"))

    def post_raw(self, action: str, raw: bytes, content_type: str) -> dict[str, Any]:
        """Posts bytes and returns the JSON answer. Raises Stale, Refused, Abandoned."""
        return self._retry(lambda: self._json("POST", action, raw, content_type))

    def put_file(self, file: IO[bytes], size: int, query: dict[str, str]) -> dict[str, Any]:
        """Streams the first `size` bytes of an open file. Raises Stale, Refused, Abandoned, Changed."""
        action = "files?" + urlencode(query, quote_via=quote)

        def once() -> dict[str, Any]:
            file.seek(0)
            return self._json("PUT", action, _Exactly(file, size), "application/octet-stream", size)

        try:
            return self._retry(once)
        except Changed:
            # The portal waits for the rest of this body.
            self.close()
            raise

    def get_to(self, action: str, write: Callable[[bytes], object], begin: Callable[[], object]) -> None:
        """Streams an answer's body into `write`; `begin` is called before each try. Raises as `post` does."""

        def once() -> dict[str, Any]:
            begin()
            for chunk in self._stream(action):
                write(chunk)
            return {}

        self._retry(once)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _retry(self, once: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        delay = FIRST_DELAY
        while True:
            if self.portal.must_leave():
                raise Abandoned
            self.check()
            self.portal.on_try()
            try:
                answer = once()
            except (OSError, http.client.HTTPException, Unreachable) as error:
                self.close()
                self.portal.on_try()
                print(f"portal: {type(error).__name__}: {error}", file=sys.stderr)
                pause = delay * random.uniform(0.75, 1.25)
                self.portal.leaving.wait(max(0.0, min(pause, self.portal.leave_by - time.monotonic())))
                delay = min(LONGEST_DELAY, delay * 2)
                continue
            self._unknown_token = 0
            self.portal.last_answer = time.monotonic()
            commands = answer.get("commands")
            if commands:
                self.portal.obey(commands)
            return answer

    def _send(self, method: str, action: str, body: Any, content_type: str | None, size: int | None) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        headers = {"Authorization": f"Attempt {self.portal.token}", "Accept": "application/json"}
        if content_type:
            headers["Content-Type"] = content_type
        if body is not None:
            headers["Content-Length"] = str(len(body) if size is None else size)
        path = f"{self._prefix}/api/attempt/v1/{quote(self.portal.attempt_id)}/{action}"
        self._connection.request(method, path, body=body, headers=headers)
        return self._connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        url = urlsplit(self.portal.portal_file.read_text().strip())
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Unreachable(f"{self.portal.portal_file} holds no address")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._prefix = url.path.rstrip("/")
        return kind(url.hostname, url.port, timeout=self.portal.timeout)

    def _json(
        self, method: str, action: str, body: Any, content_type: str | None, size: int | None = None
    ) -> dict[str, Any]:
        response = self._send(method, action, body, content_type, size)
        raw = response.read()
        if response.status >= 300:
            self._raise(response.status, raw)
        answer = _object(raw)
        if answer is None:
            raise Unreachable(f"{response.status} without a JSON object")
        return answer

    def _stream(self, action: str) -> Iterator[bytes]:
        response = self._send("GET", action, None, None, None)
        if response.status >= 300:
            self._raise(response.status, response.read())
        try:
            while chunk := response.read(CHUNK):
                yield chunk
            if response.length:
                raise Unreachable(f"the answer ended {response.length} bytes early")
        finally:
            if not response.isclosed():
                self.close()

    def _raise(self, status: int, raw: bytes) -> None:
        problem = _object(raw) or {}
        if status == 409 and problem.get("code") != "not_yet":
            raise Stale(str(problem.get("detail") or problem.get("code") or "409"))
        if status == 401:
            self._unknown_token += 1
            if self._unknown_token >= UNKNOWN_TOKEN_TRIES:
                raise Stale("the portal does not know this attempt's token")
        # Only the portal itself speaks problem+json with a code; another server on its port does not.
        if status in (413, 422) or (status in (400, 403, 404, 409) and problem.get("code")):
            raise Refused(status, problem)
        raise Unreachable(f"{status} {problem.get('detail', '')}")


class _Exactly:
    """The announced part of a file, which may grow or shrink while it is sent."""

    def __init__(self, file: IO[bytes], size: int):
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        part = self._file.read(min(size, self._left))
        if not part and self._left:
            raise Changed(f"the file became {self._left} bytes shorter while it was sent")
        self._left -= len(part)
        return part


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
