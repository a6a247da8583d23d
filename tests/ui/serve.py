"""The gallery and a job that trains before one's eyes, on loopback: `python -m tests.ui.serve [--port 8900] [--rate 4]`.

A small ASGI application with the strict policy of the portal's pages. `Feed` speaks the live protocol: the WebSocket,
`events`, `metrics` and `logs` of one job whose values are made up. Used by test_browser.py too.
"""

import argparse
import asyncio
import json
import math
import mimetypes
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
SERIES = {
    "train/box_loss": {"title": "Box loss", "group": "loss", "split": "train", "scope": "batch", "goal": "min"},
    "val/box_loss": {"title": "Box loss", "group": "loss", "split": "val", "scope": "epoch", "goal": "min"},
    "val/map50": {"title": "mAP50", "group": "map", "split": "val", "scope": "epoch", "goal": "max", "primary": True},
    "lr/pg0": {"title": "Learning rate", "group": "lr", "split": "", "scope": "batch", "goal": None},
    "system/cpu_percent": {"title": "CPU", "group": "", "split": "", "scope": "system", "goal": None},
    "system/memory_mb": {"title": "Memory", "group": "", "split": "", "scope": "system", "goal": None},
}
EPOCHS, BATCHES = 20, 15


class Feed:
    """One made-up training: `step()` appends what a batch would report, and tells the sockets."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.log = ""
        self.batch = 0
        self.attempt_no = 1
        self.samples = 0
        self.state = "running"
        self.queues: set[asyncio.Queue[dict[str, Any]]] = set()
        self.dropping = False
        self.started = time.time()

    def summary(self) -> dict[str, Any]:
        from tests.ui.gallery import job  # import here: needs the settings

        done = self.batch / (EPOCHS * BATCHES)
        words = {
            "running": ("Running", "blue"),
            "stopping": ("Stopping", "orange"),
            "stopped": ("Stopped", "secondary"),
        }
        words["succeeded"] = ("Succeeded", "green")
        label, color = words[self.state]
        left = (1 - done) * EPOCHS * BATCHES * 0.25
        return job(
            state=self.state,
            state_label=label,
            state_color=color,
            progress=done,
            progress_text=f"Epoch {self.batch // BATCHES} of {EPOCHS}",
            eta={"low_seconds": left * 0.9, "high_seconds": left * 1.4} if self.state == "running" else None,
            event_seq=len(self.events),
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            finished_at=None
            if self.state in ("running", "stopping")
            else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            stage="training",
            capabilities={"stop": self.state == "running", "clone": True},
        )

    def add(self, kind: str, data: dict[str, Any]) -> None:
        self.events.append(
            {
                "seq": len(self.events) + 1,
                "attempt_no": self.attempt_no,
                "stream": "trainer",
                "type": kind,
                "time": time.time(),
                "data": data,
            }
        )

    def step(self) -> None:
        """One batch; an epoch's values every BATCHES of them."""
        if self.state != "running":
            return
        first = len(self.events) + 1
        self.batch += 1
        share = self.batch / (EPOCHS * BATCHES)
        noise = math.sin(self.batch * 12.9898) * 0.12
        loss = 2.4 * math.exp(-3 * share) + 0.25 + noise * (1.2 - share)
        if self.batch == 40:
            loss = 60.0  # an outlier, so that clipping can be seen
        epoch = self.batch / BATCHES
        values = {"train/box_loss": loss, "lr/pg0": 0.01 * (1 - share)}
        self.add("metrics", {"scope": "batch", "step": self.batch, "epoch": epoch, "values": values})
        system = {"system/cpu_percent": 60 + 25 * math.sin(self.batch / 9), "system/memory_mb": 900 + 2 * self.batch}
        self.samples += 1
        self.add("metrics", {"scope": "system", "step": self.samples, "epoch": None, "values": system})
        self.log += (
            f"\x1b[36mepoch {int(epoch) + 1}/{EPOCHS}\x1b[0m batch {self.batch} box_loss \x1b[1m{loss:.4f}\x1b[0m\n"
        )
        if self.batch == 25:
            self.add("warning", {"code": "small_batch", "message": "The last batch has 3 images.", "params": {}})
            self.log += "\x1b[33mWARNING the last batch has 3 images\x1b[0m\n"
        if self.batch % BATCHES == 0:
            epoch_values = {
                "val/box_loss": 2.2 * math.exp(-2.6 * share) + 0.35,
                "val/map50": 0.96 * (1 - math.exp(-4 * share)),
            }
            self.add("metrics", {"scope": "epoch", "step": self.batch, "epoch": epoch, "values": epoch_values})
        if self.batch >= EPOCHS * BATCHES:
            self.state = "succeeded"
        self.tell(first)

    def resume(self) -> None:
        """What comes next is of another attempt, which counts the machine's samples anew."""
        self.attempt_no += 1
        self.samples = 0

    def tell(self, first: int) -> None:
        hint = {"type": "hint", "from": first, "to": len(self.events), "job": self.summary()}
        # Now and then a hint is lost, or comes without its events: the page must fetch them.
        if self.batch % 11 == 0:
            return
        if self.batch % 7:
            hint["events"] = self.events[first - 1 :]
        for queue in self.queues:
            queue.put_nowait(hint)

    def page(self, after: int, limit: int) -> dict[str, Any]:
        part = self.events[after : after + limit]
        return {"events": part, "event_seq": len(self.events), "more": after + limit < len(self.events)}

    def metrics(self, names: list[str]) -> dict[str, Any]:
        listed = []
        for name, info in SERIES.items():
            points = [
                [
                    event["data"]["step"],
                    event["data"]["epoch"],
                    event["time"],
                    event["data"]["values"][name],
                    event["attempt_no"],
                ]
                for event in self.events
                if event["type"] == "metrics" and name in event["data"]["values"]
            ]
            if not points or (names and name not in names):
                continue
            item = {"name": name, **info, "count": len(points), "last": points[-1][3], "best": None}
            listed.append(item | {"points": points, "downsampled": False} if names else item)
        return {"series": listed}

    def logs(self, offset: int, limit: int) -> dict[str, Any]:
        whole = self.log.encode()
        start = max(0, len(whole) + offset) if offset < 0 else offset
        part = whole[start : start + limit]
        return {
            "offset": start,
            "next_offset": start + len(part),
            "size": len(whole),
            "text": part.decode(),
            "complete": self.state not in ("running", "stopping"),
            "truncated": False,
        }


class Application:
    """Pages, static files, and the job's addresses."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.socket(receive, send)

    async def http(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        status, kind, body = self.answer(scope)
        headers = [
            (b"content-type", kind.encode()),
            (b"content-security-policy", POLICY.encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def answer(self, scope: dict[str, Any]) -> tuple[int, str, bytes]:
        from django.test import RequestFactory  # import here: needs the settings
        from django.utils import translation  # import here: needs the settings
        from django.views.i18n import JavaScriptCatalog  # import here: needs the settings

        from tests.ui.gallery import pages  # import here: needs the settings

        path: str = scope["path"]
        query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode()).items()}
        cookies = dict(
            part.strip().split("=", 1)
            for name, value in scope["headers"]
            if name == b"cookie"
            for part in value.decode().split(";")
            if "=" in part
        )
        language = query.get("language", cookies.get("language", "en"))
        if path.startswith("/static/"):
            file = (ROOT / path[1:]).resolve()
            if not file.is_relative_to(ROOT / "static") or not file.is_file():
                return 404, "text/plain", b""
            return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()
        if path == "/i18n/js/":
            with translation.override(language):
                made = JavaScriptCatalog.as_view()(RequestFactory().get(path))
            return 200, "text/javascript", made.content
        if path.startswith("/api/v1/training-jobs/1/"):
            return 200, "application/json", json.dumps(self.api(path.rsplit("/", 1)[1], query)).encode()
        name = path.strip("/") or "gallery"
        with translation.override(language):
            drawn = pages(cookies.get("theme", query.get("theme", "light")))
        return (200 if name in drawn else 404), "text/html; charset=utf-8", drawn.get(name, drawn["404"]).encode()

    def api(self, verb: str, query: dict[str, str]) -> dict[str, Any]:
        if verb == "events":
            return self.feed.page(int(query.get("after", 0)), int(query.get("limit", 1000)))
        if verb == "metrics":
            return self.feed.metrics([name for name in query.get("name", "").split(",") if name])
        if verb == "logs":
            return self.feed.logs(int(query.get("offset", 0)), int(query.get("limit", 65536)))
        if verb == "stop":
            answer = {"id": 1, "job": {**self.feed.summary(), "state": "stopping"}}
            self.feed.state = "stopped"
            self.feed.add("log", {"level": "info", "message": "stopped"})
            self.feed.tell(len(self.feed.events))
            return answer
        return self.feed.summary()

    async def socket(self, receive: Any, send: Any) -> None:
        await receive()
        if self.feed.dropping:
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept", "subprotocol": "modelyard.v1"})
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.feed.queues.add(queue)

        async def tell(frame: dict[str, Any]) -> None:
            await send({"type": "websocket.send", "text": json.dumps(frame)})

        async def pump() -> None:
            while True:
                frame = await queue.get()
                if frame["type"] == "close":
                    await send({"type": "websocket.close", "code": 1012})
                    return
                await tell(frame)

        await tell({"type": "hello", "event_seq": len(self.feed.events), "job": self.feed.summary()})
        pumping = asyncio.create_task(pump())
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await tell({"type": "pong", "event_seq": len(self.feed.events)})
        finally:
            self.feed.queues.discard(queue)
            pumping.cancel()


def prepare() -> None:
    """Django with the least settings, unless a test run has configured it already."""
    if not settings.configured:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.ui.settings")
        django.setup()


async def main(port: int, rate: float) -> None:
    import uvicorn  # import here: only these tests and this program start it

    feed = Feed()
    for _ in range(60):
        feed.step()
    server = uvicorn.Server(
        uvicorn.Config(Application(feed), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )

    async def train() -> None:
        while True:
            await asyncio.sleep(1 / rate)
            feed.step()

    training = asyncio.create_task(train())
    print(f"http://127.0.0.1:{port}/  /monitor  /sign-in  /404")
    await server.serve()
    training.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--rate", type=float, default=4)
    arguments = parser.parse_args()
    prepare()
    asyncio.run(main(arguments.port, arguments.rate))
