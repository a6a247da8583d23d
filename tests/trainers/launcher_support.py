"""A portal that speaks the attempt protocol over real HTTP, with faults on demand, and real launchers against it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.trainer import remove_temporary

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "trainers" / "sdk"
TRAINERS = ROOT / "trainers"
PATIENCE = 20.0


def wait_until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The first true value of `condition`; fails the test when none comes."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s in vain: {what}")
        time.sleep(0.01)
    return value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Answer(Exception):
    """Ends a request with a status and a JSON body."""

    def __init__(self, status: int, **body: Any):
        self.status = status
        self.body = body


class FakePortal:
    """State of one attempt as the portal holds it. `fault(call)` may return 500, drop, drop_after, hang or 409."""

    token = "a-token-that-is-long-enough"

    def __init__(self, portal_file: Path, attempt_id: str, orders: dict[str, Any]):
        self.portal_file = portal_file
        self.attempt_id = attempt_id
        self.orders = orders
        self.nonces: list[str] = []
        self.hellos: list[dict[str, Any]] = []
        self.events: dict[str, list[dict[str, Any]]] = {"trainer": [], "launcher": []}
        self.log = b""
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.dataset: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.ends: list[dict[str, Any]] = []
        self.ended: dict[str, Any] | None = None
        self.calls: list[str] = []
        self.fault: Callable[[str], str | None] = lambda call: None
        self.lock = threading.RLock()
        self.release = threading.Event()
        self.server: ThreadingHTTPServer | None = None
        self.broken_order: list[str] = []

    # Server

    def start(self) -> None:
        """Listens on a new port and writes it down."""
        portal = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                portal.handle(self)

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *arguments: object) -> None:
                """Quiet: a test says itself what went wrong."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            connections: list[Any] = []

            def handle_error(self, request: object, client_address: object) -> None:
                """A peer that vanishes is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.portal_file.write_text(f"http://127.0.0.1:{self.server.server_address[1]}\n")

    def stop(self) -> None:
        if self.server is not None:
            server, self.server = self.server, None
            server.shutdown()
            server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        action = url.path.removeprefix(f"/api/attempt/v1/{self.attempt_id}/")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self.server is None:
            # A kept connection to a server that is down.
            request.close_connection = True
            return
        fault = self.fault(action)
        with self.lock:
            self.calls.append(action)
        if fault == "hang":
            self.release.wait(PATIENCE)
        if fault in ("drop", "hang"):
            request.close_connection = True
            return
        try:
            if fault == "500":
                raise Answer(500, detail="out of order")
            if fault == "409":
                raise Answer(409, code="stale", detail="a newer attempt was claimed")
            if request.headers.get("Authorization") != f"Attempt {self.token}":
                raise Answer(401, code="unknown_token")
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            with self.lock:
                answer = self.act(request.command, action, body, query)
        except Answer as refusal:
            self.reply(request, refusal.status, json.dumps(refusal.body).encode())
            return
        if fault == "drop_after":
            request.close_connection = True
            return
        self.reply(request, 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def reply(self, request: BaseHTTPRequestHandler, status: int, raw: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)

    # Protocol

    def act(self, method: str, action: str, body: bytes, query: dict[str, str]) -> Any:
        if method == "GET" and action == "dataset":
            return "".join(json.dumps(line) + "\n" for line in self.dataset).encode()
        if method == "GET":
            blob = self.blobs.get(action.removeprefix("blobs/"))
            if blob is None:
                raise Answer(404, code="no_such_blob")
            return blob
        if method == "PUT":
            return self.put_file(body, query)
        if action == "logs":
            return self.post_log(int(query["offset"]), body)
        return getattr(self, f"post_{action}")(json.loads(body))

    def post_hello(self, data: dict[str, Any]) -> dict[str, Any]:
        self.hellos.append(data)
        if self.ended or (self.nonces and not data["recovering"] and self.nonces[-1] != data["nonce"]):
            raise Answer(409, code="stale")
        self.nonces.append(data["nonce"])
        cursors = {"trainer": self.acked("trainer"), "launcher": self.acked("launcher"), "log": len(self.log)}
        return {**self.orders, "commands": self.commands, "cursors": cursors}

    def post_heartbeat(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"lease_until": time.time() + 30, "commands": self.commands}

    def acked(self, stream: str) -> int:
        return len(self.events[stream])

    def post_events(self, data: dict[str, Any]) -> dict[str, Any]:
        stored = self.events[data["stream"]]
        assert len(data["events"]) <= 1000
        for event in data["events"]:
            if event["seq"] <= len(stored):
                continue
            if event["seq"] != len(stored) + 1:
                raise Answer(422, code="gap", acked=len(stored))
            self.check_file(event)
            stored.append(event)
        return {"acked": len(stored), "commands": self.commands}

    def check_file(self, event: dict[str, Any]) -> None:
        data = event["data"]
        if event["type"] not in ("artifact", "checkpoint") or data.get("superseded") or data.get("missing"):
            return
        if sha256(self.files.get(data["name"], b"?")) != data["sha256"]:
            self.broken_order.append(data["name"])

    def post_log(self, offset: int, body: bytes) -> dict[str, Any]:
        assert len(body) <= 256 << 10
        if offset <= len(self.log):
            self.log += body[len(self.log) - offset :]
        return {"offset": len(self.log), "commands": self.commands}

    def put_file(self, body: bytes, query: dict[str, str]) -> dict[str, Any]:
        if sha256(body) != query["sha256"] or len(body) != int(query["size"]):
            raise Answer(422, code="digest", detail="the digest differs")
        self.files[query["name"]] = body
        return {"stored": True}

    def post_end(self, data: dict[str, Any]) -> dict[str, Any]:
        self.ends.append(data)
        missing = {name: len(self.events[name]) for name in self.events if data["last_seq"][name] > self.acked(name)}
        if data["log_bytes"] > len(self.log):
            missing["log"] = len(self.log)
        if missing:
            raise Answer(409, code="not_yet", missing=missing)
        self.ended = data
        return {"state": "ended"}

    # Looking

    def of_type(self, type_: str, stream: str = "trainer") -> list[dict[str, Any]]:
        with self.lock:
            return [event["data"] for event in self.events[stream] if event["type"] == type_]

    def assert_whole(self) -> None:
        """Every stream arrived once, in order, without a gap, each file before its event."""
        for stream in self.events.values():
            assert [event["seq"] for event in stream] == list(range(1, len(stream) + 1))
        assert self.broken_order == []


class Attempt:
    """One attempt's folder, its portal, and the launchers that the test started."""

    def __init__(self, home: Path, *, config: dict[str, Any] | None = None, mode: str = "train", **orders: Any):
        self.id = f"0190aaaa-{os.urandom(4).hex()}"
        self.folder = home / "attempts" / self.id
        self.folder.mkdir(parents=True)
        self.cache = home / "cache"
        (self.folder / "token").write_text(FakePortal.token)
        (self.folder / "token").chmod(0o600)
        spec = {
            "contract": 1,
            "mode": mode,
            "job_id": "0190bbbb",
            "attempt_id": self.id,
            "attempt_no": 1,
            "trainer": "reference",
            "task": "tabular",
            "model": "softmax",
            "config": {"steps": 60, "epoch_steps": 20, **(config or {})},
            "seed": 7,
            "dataset": None,
            "resources": {"cpus": 1, "gpus": [], "memory_mb": 512},
            "resume_from": None,
            "start_from": None,
            "inputs": [],
        }
        spec.update(orders.pop("spec", {}))
        self.orders: dict[str, Any] = {
            "spec": spec,
            "trainer": {
                "name": "reference",
                "package": "modelyard_reference",
                "path": "reference",
                "environment": {"requirements": None, "variables": {}},
            },
            "dataset": None,
            "files": [],
            "lease_seconds": 20,
            "heartbeat_seconds": 0.3,
            "ship_seconds": 0.05,
            "log_cap_bytes": 1 << 20,
            "blob_root": None,
            **orders,
        }
        self.portal = FakePortal(home / "portal", self.id, self.orders)
        self.trainers = TRAINERS
        self.launchers: list[subprocess.Popen[bytes]] = []
        # With a secret, as a worker of the portal has them.
        self.environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SDK), "DATABASE_URL": "postgresql://secret"}

    def command(self, *options: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "modelyard_trainer.launch",
            *("--attempt", self.id, "--folder", str(self.folder), "--portal-file", str(self.portal.portal_file)),
            *("--trainers", str(self.trainers), "--cache", str(self.cache), "--timeout-seconds", "1"),
            *options,
        ]

    def launch(self, *options: str) -> "subprocess.Popen[bytes]":
        """A launcher in the foreground; its messages go to launcher.log."""
        with open(self.folder / "launcher.log", "ab") as log:
            popen = subprocess.Popen(
                self.command("--foreground", *options),
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        self.launchers.append(popen)
        return popen

    def run(self, *options: str) -> int:
        """Runs a launcher to its end; returns its exit code."""
        return self.launch(*options).wait(PATIENCE)

    def trainer_pid(self) -> int:
        """The trainer's process, once its journal has a first line."""
        wait_until(lambda: self.portal.of_type("started"), f"a trainer that starts; {self.messages()}")
        return int(self.portal.of_type("started")[0]["pid"])

    def step(self) -> int:
        """The last step that the portal has heard of."""
        steps = [data["step"] for data in self.portal.of_type("metrics") if data["scope"] == "batch"]
        return max(steps, default=0)

    def living(self) -> list[int]:
        """Processes that carry the attempt's id and are not zombies."""
        mark = f"\0MODELYARD_ATTEMPT_ID={self.id}\0".encode()
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and mark in b"\0" + Path(f"/proc/{name}/environ").read_bytes() + b"\0":
                    state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        found.append(int(name))
            except OSError:
                continue
        return found

    def messages(self) -> str:
        path = self.folder / "launcher.log"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        """Ends whatever is left, by number."""
        for popen in self.launchers:
            if popen.poll() is None:
                popen.kill()
                popen.wait()
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)
        # A launcher that was killed could not.
        remove_temporary(AttemptFolder(self.folder))
        self.portal.release.set()
        self.portal.stop()
