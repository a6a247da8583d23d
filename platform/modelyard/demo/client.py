"""A small client of the REST API and the live socket."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

RENEW_BEFORE_SECONDS = 60


class ApiError(Exception):
    """The portal refused a call; the message holds what it said."""


class Client:
    """Speaks for one person. Tokens are renewed before they end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=60)
        self._refresh = ""
        self._ends_at = float("inf")

    def sign_in(self, email: str, password: str) -> None:
        self._keep(self.post("/auth/token", {"email": email, "password": password}))

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        return self._call("POST", path, json=body if body is not None else {})

    def put_bytes(self, path: str, content: bytes) -> Any:
        return self._call("PUT", path, content=content, headers={"Content-Type": "application/octet-stream"})

    def post_files(self, path: str, fields: dict[str, str], files: list[tuple[str, bytes, str]]) -> Any:
        parts = [("files", (name, content, media_type)) for name, content, media_type in files]
        return self._call("POST", path, data=fields, files=parts)

    def wait(self, path: str, done: Callable[[Any], bool], timeout: float, pause: float = 0.3) -> Any:
        """Asks until `done(answer)`; raises `ApiError` when the time is over."""
        deadline = time.monotonic() + timeout
        while not done(found := self.get(path)):
            if time.monotonic() > deadline:
                raise ApiError(f"{path} was not done after {timeout:.0f} s: {json.dumps(found)[:500]}")
            time.sleep(pause)
        return found

    def follow(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Events of a training without a gap, then the job's summary as `{"type": "job", …}` with each hint.

        Subscribes, catches up from the last event seen, and connects again when the line is cut.
        """
        last = 0
        while True:
            ticket = self.post("/ws-tickets")["ticket"]
            address = f"ws{self.url.removeprefix('http')}/ws/training-jobs/{quote(job_id)}/"
            protocols: Any = ["modelyard.v1", f"modelyard.ticket.{ticket}"]
            try:
                with connect(address, subprotocols=protocols) as socket:
                    for text in socket:
                        frame = json.loads(text)
                        if frame["type"] not in {"hello", "hint"}:
                            continue
                        whole = frame["type"] == "hint" and "events" in frame and frame["from"] <= last + 1
                        for event in frame["events"] if whole else self._events(job_id, last):
                            if event["seq"] > last:
                                last = event["seq"]
                                yield event
                        yield {"type": "job", **frame["job"]}
            except (ConnectionClosed, OSError):
                time.sleep(1)

    def _events(self, job_id: str, after: int) -> Iterator[dict[str, Any]]:
        while True:
            found = self.get(f"/training-jobs/{job_id}/events", after=after)
            yield from found["events"]
            if not found["more"]:
                return
            after = found["events"][-1]["seq"]

    def _call(self, method: str, path: str, **options: Any) -> Any:
        if time.time() > self._ends_at - RENEW_BEFORE_SECONDS:
            self._ends_at = float("inf")
            self._keep(self.post("/auth/token/refresh", {"refresh": self._refresh}))
        answer = self._http.request(method, path, **options)
        if answer.is_error:
            raise ApiError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return answer.json() if answer.content else None

    def _keep(self, pair: dict[str, Any]) -> None:
        self._http.headers["Authorization"] = f"Bearer {pair['access']}"
        self._refresh = pair["refresh"]
        self._ends_at = time.time() + pair["expires_in"]
