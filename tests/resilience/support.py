"""A real portal in a home of its own, jobs of the reference trainer over its REST API, and the proof of what they left.

The database is read directly, because the portal's own processes are what the tests kill.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from modelyard import embedded
from modelyard.supervisor.address import free_port
from modelyard_trainer.launcher.processes import carries, process

from tests.services import PORTALS_STATIC_ROOT

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0
#: The first start makes the tables, beside other tests on a busy machine.
START_SECONDS = 400.0
LEASE_SECONDS = 3
HUNG_SECONDS = 6
MIRROR_SECONDS = 180.0
TERMINAL = {"succeeded", "stopped", "failed", "errored"}
PARTS = {"supervisor", "postgres", "valkey", "web", "worker", "node", "beat", "mlflow"}
#: What the launcher adds to the data of a line on its way.
ADDED = {"superseded", "missing"}


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE, pause: float = 0.05) -> Any:
    """Waits until `condition()`, asked after each `pause`, is truthy and returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class Portal:
    """One `manage.py up` with short leases, on one port for all its starts."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="modelyard-resilience-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.home = self.folder / "home"
        self.process: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.url = ""
        self.token = self.project_id = ""
        self.http = httpx.Client(timeout=10, trust_env=False)
        self._database: psycopg.Connection[Any] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "MODELYARD_HOME": str(self.home),
            "DJANGO_SETTINGS_MODULE": "modelyard.settings.base",
            "STATIC_ROOT": os.environ.get(PORTALS_STATIC_ROOT, str(self.folder / "staticfiles")),
            "JOBS_LEASE_SECONDS": str(LEASE_SECONDS),
            "JOBS_HEARTBEAT_SECONDS": "1",
            "JOBS_HUNG_AFTER_SECONDS": str(HUNG_SECONDS),
            "ACCESS_TOKEN_LIFETIME_SECONDS": "86400",
            "OUTBOX_LONGEST_PAUSE_SECONDS": "4",
            "MODELYARD_NODE": "resilience",
        }

    # The supervisor

    def start(self) -> None:
        log = open(self.folder / "up.log", "a+")  # noqa: SIM115 - read by the supervisor's next start too
        begin = log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(self.port)],
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )

        def ready() -> str:
            log.seek(begin)
            lines = [line for line in log if "ready at" in line]
            assert self.process is not None
            if not lines and self.process.poll() is not None:
                log.seek(begin)
                raise AssertionError(log.read())
            return lines[0].split()[-1].rstrip("/") if lines else ""

        with log:
            self.url = until(ready, "the portal's start", START_SECONDS)
        if not self.token:
            self._make_people()

    def _make_people(self) -> None:
        environment = {**self.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.resilience.people"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout.splitlines()[-1])
        self.token, self.project_id = facts["token"], facts["project_id"]

    def interrupt(self) -> None:
        """Ctrl-C, and the wait for the end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=PATIENCE)

    def kill_supervisor(self) -> None:
        assert self.process is not None
        watched = {name: os.pidfd_open(pid) for name, pid in self.pids().items()}
        self.process.kill()
        self.process.wait()
        for name, descriptor in watched.items():
            assert select.select([descriptor], [], [], 30)[0], f"{name} has not gone with its supervisor"
            os.close(descriptor)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            for attempt_id in self.open_attempts():
                self.stop_launcher(attempt_id)
            self.process.send_signal(signal.SIGINT)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=PATIENCE)
        self.http.close()
        if self._database is not None:
            self._database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> dict[str, int]:
        facts = json.loads((self.home / "run" / "processes.json").read_text())
        return {name: fact["pid"] for name, fact in facts.items() if fact["pid"]}

    def ask_mlflow_by_half(self) -> socket.socket:
        """A request to MLflow whose body never comes: the server is busy with it until it is closed."""
        url = urlsplit((self.home / "run" / "mlflow.url").read_text().strip())

        def connect() -> socket.socket | None:
            try:
                return socket.create_connection((str(url.hostname), url.port or 80), timeout=10)
            except ConnectionRefusedError:
                return None

        # The portal is ready before MLflow, whose start takes long on a busy machine.
        asking: socket.socket = until(connect, "MLflow's start")
        path = f"{url.path}/api/2.0/mlflow/experiments/search"
        asking.sendall(f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 2\r\n\r\n".encode())
        return asking

    def is_ready(self) -> bool:
        try:
            return self.http.get(f"{self.url}/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def wait_until_well(self) -> None:
        """Until every part runs, answers, and the node takes work."""

        def well() -> bool:
            if not self.is_ready() or set(self.pids()) != PARTS:
                return False
            sql = "SELECT 1 FROM resources_node WHERE state = 'ready' AND last_seen_at > now() - interval '10 seconds'"
            return bool(self.rows(sql))

        try:
            until(well, "every part of the portal being well")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.health()}") from None

    def health(self) -> str:
        """What is wrong, for the message of a failed test."""
        try:
            answer = self.http.get(f"{self.url}/readyz").text
        except httpx.HTTPError as error:
            answer = repr(error)
        nodes = self.rows("SELECT name, state, now() - last_seen_at FROM resources_node")
        return f"{answer} {self.pids()} {nodes} {(self.folder / 'up.log').read_text()[-800:]}"

    # REST and database

    def rest(self, method: str, path: str, body: Any = None, seconds: float = 60) -> Any:
        """An answer of the REST API, asked again while the portal is away."""

        def answer() -> httpx.Response | None:
            try:
                found = self.http.request(
                    method,
                    f"{self.url}/api/v1{path}",
                    json=body,
                    headers={"Authorization": f"Bearer {self.token}"},
                )
            except httpx.HTTPError:
                return None
            return None if found.status_code >= 500 else found

        response = until(answer, f"{method} {path}", seconds)
        assert response.status_code < 300, f"{method} {path} → {response.status_code} {response.text}"
        return response.json() if response.content else None

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the portal's database, asked again while it is away."""

        def ask() -> list[list[tuple[Any, ...]]]:
            try:
                if self._database is None or self._database.closed:
                    self._database = psycopg.connect(embedded.database_url(self.home), autocommit=True)
                return [self._database.execute(sql, values).fetchall()]
            except psycopg.OperationalError:
                if self._database is not None:
                    self._database.close()
                return []

        return until(ask, "the database")[0]

    # Jobs

    def submit(self, **config: Any) -> str:
        """Starts a job of the reference trainer; its id."""
        body = {"project_id": self.project_id, "name": "resilience", "trainer": "reference", "config": config}
        job_id = self.rest("POST", "/training-jobs", body)["id"]
        self.rest("POST", f"/training-jobs/{job_id}/start")
        return str(job_id)

    def state(self, job_id: str) -> str:
        return str(self.rows("SELECT state FROM jobs_job WHERE id = %s", job_id)[0][0])

    def reason(self, job_id: str) -> str:
        return str(self.rows("SELECT reason_code FROM jobs_job WHERE id = %s", job_id)[0][0])

    def attempts(self, job_id: str) -> list[tuple[int, str, str]]:
        """Number, id and state of each attempt."""
        sql = "SELECT no, id::text, state FROM jobs_attempt WHERE job_id = %s ORDER BY no"
        return [tuple(row) for row in self.rows(sql, job_id)]  # type: ignore[misc]

    def open_attempts(self) -> list[str]:
        sql = "SELECT id::text FROM jobs_attempt WHERE state IN ('claimed', 'live')"
        return [row[0] for row in self.rows(sql)]

    def wait_for_mirror(self) -> None:
        """Until everything that MLflow shall hear has been told."""
        waiting = "SELECT FROM core_outboxmessage WHERE delivered_at IS NULL AND topic LIKE %s LIMIT 1"
        until(lambda: not self.rows(waiting, "experiments.%"), "the end of what waits for MLflow", MIRROR_SECONDS)

    def wait_for_state(self, job_id: str, *states: str, seconds: float = PATIENCE) -> str:
        until(lambda: self.state(job_id) in states, f"one of {states} for the job", seconds)
        return self.state(job_id)

    def wait_for_end(self, job_id: str, seconds: float = PATIENCE) -> str:
        def ended() -> bool:
            return self.state(job_id) in TERMINAL

        try:
            until(ended, "the end of the job", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story(job_id)}") from None
        return self.state(job_id)

    def wait_for_steps(self, job_id: str, count: int) -> None:
        """Until the trainer of the newest attempt has written so many lines."""
        until(lambda: self.lines_written(job_id) >= count, f"{count} lines of the trainer")

    def noticed_after(self, job_id: str, moment: float) -> float:
        """Seconds from a moment (Unix time) until the job's state said that something was wrong."""
        sql = "SELECT extract(epoch FROM min(time)) FROM jobs_jobevent WHERE job_id = %s AND type = 'state'"
        ((first,),) = self.rows(f"{sql} AND time > to_timestamp(%s) AND data->>'to' <> 'running'", job_id, moment)
        assert first is not None
        return float(first) - moment

    def lines_written(self, job_id: str) -> int:
        attempts = self.attempts(job_id)
        return len(self.journal(attempts[-1][1], "trainer")) if attempts else 0

    def attempt_folder(self, attempt_id: str) -> Path:
        return self.home / "attempts" / attempt_id

    def journal(self, attempt_id: str, stream: str) -> list[dict[str, Any]]:
        """The whole lines of a journal on disk."""
        name = {"trainer": "journal.jsonl", "launcher": "launcher.jsonl"}[stream]
        try:
            content = (self.attempt_folder(attempt_id) / name).read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]

    def launcher_facts(self, attempt_id: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.attempt_folder(attempt_id) / "launcher.json").read_text()))
        except FileNotFoundError:
            return {}

    def stop_launcher(self, attempt_id: str) -> None:
        """Ends a launcher at once, and its trainer with it."""
        facts = self.launcher_facts(attempt_id)
        found = process(facts["pid"]) if facts else None
        if found is not None and found.started == facts["start_time"]:
            os.kill(found.pid, signal.SIGKILL)

    def processes_of(self, attempt_id: str) -> list[int]:
        """Every living process that was started for the attempt."""
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        found = [number for number in numbers if carries(number, attempt_id)]
        return [number for number in found if (entry := process(number)) is not None and entry.state not in "ZX"]

    def story(self, job_id: str) -> str:
        """What happened to a job, for the message of a failed test."""
        lines = [f"{self.state(job_id)} {self.reason(job_id)} {self.attempts(job_id)}"]
        sql = "SELECT seq, attempt_no, stream, time, data FROM jobs_jobevent WHERE job_id = %s AND type = 'state'"
        lines += [str(row) for row in self.rows(sql + " ORDER BY seq", job_id)]
        for _no, attempt_id, _state in self.attempts(job_id):
            log = self.attempt_folder(attempt_id) / "launcher.log"
            lines.append(f"launcher.log of {attempt_id}: {log.read_text()[-1500:] if log.exists() else 'none'}")
        for name in ("worker", "node", "beat", "web"):
            log = self.home / "logs" / f"{name}.log"
            lines.append(f"{name}.log: {log.read_text()[-1500:] if log.exists() else 'none'}")
        return "\n".join(lines)

    # Proof

    def check_history(self, job_id: str) -> None:
        """Events, cursor and points in the database are what the journals on disk say: none lost, none doubled."""
        for no, attempt_id, _state in self.attempts(job_id):
            for stream in ("trainer", "launcher"):
                written = [(line["seq"], line["type"], line["data"]) for line in self.journal(attempt_id, stream)]
                sql = (
                    "SELECT stream_seq, type, data FROM jobs_jobevent WHERE job_id = %s AND attempt_no = %s "
                    "AND stream = %s ORDER BY stream_seq"
                )
                stored = [
                    (number, type_, {key: value for key, value in data.items() if key not in ADDED})
                    for number, type_, data in self.rows(sql, job_id, no, stream)
                ]
                assert stored == written, f"attempt {no}, {stream}: {len(stored)} stored, {len(written)} written"
        cursors = [row[0] for row in self.rows("SELECT seq FROM jobs_jobevent WHERE job_id = %s ORDER BY seq", job_id)]
        assert cursors == list(range(1, len(cursors) + 1))
        assert self.rows("SELECT event_seq FROM jobs_job WHERE id = %s", job_id) == [(len(cursors),)]
        self._check_points(job_id)

    def _check_points(self, job_id: str) -> None:
        drawn: dict[str, dict[int, float]] = {}
        names = {series["name"] for series in self.rest("GET", f"/training-jobs/{job_id}/metrics")["series"]}
        for name in sorted(name for name in names if not name.startswith("system/")):
            answer = self.rest("GET", f"/training-jobs/{job_id}/metrics?name={name}&points=20000")
            (series,) = answer["series"]
            drawn[name] = {int(point[0]): point[3] for point in series["points"]}
            assert len(drawn[name]) == len(series["points"]), f"{name}: a step is drawn twice"
        assert drawn == self.expected_points(job_id)

    def check_mirror(self, job_id: str) -> None:
        """MLflow has the run's end and every epoch's values, once it is back."""
        self.wait_for_mirror()
        sql = (
            "SELECT run.mirror_state, run.mlflow_run_id FROM experiments_run AS run "
            "JOIN training_trainingjob AS training ON training.run_id = run.id WHERE training.job_id = %s"
        )
        ((state, run_id),) = self.rows(sql, job_id)
        assert state == "synced"
        address = (self.home / "run" / "mlflow.url").read_text().strip()

        def ask(path: str, **query: str) -> dict[str, Any]:
            answer = self.http.get(f"{address}/api/2.0/mlflow/{path}", params={"run_id": run_id, **query})
            answer.raise_for_status()
            return dict(answer.json())

        assert ask("runs/get")["run"]["info"]["status"] == "FINISHED"
        for name, points in self.epoch_points(job_id).items():
            history = ask("metrics/get-history", metric_key=name)["metrics"]
            assert {int(point["step"]): point["value"] for point in history} == points, name

    def epoch_points(self, job_id: str) -> dict[str, dict[int, float]]:
        """What the trainer's journals say of epochs."""
        found: dict[str, dict[int, float]] = {}
        for _no, attempt_id, _state in self.attempts(job_id):
            for line in self.journal(attempt_id, "trainer"):
                if line["type"] == "metrics" and line["data"]["scope"] == "epoch":
                    for name, value in line["data"]["values"].items():
                        found.setdefault(name, {})[line["data"]["step"]] = value
        return found

    def expected_points(self, job_id: str) -> dict[str, dict[int, float]]:
        """Points of the journals: of earlier attempts only up to where the next one went on."""
        expected: dict[str, dict[int, float]] = {}
        sql = "SELECT id::text, resumed_step, hello_at FROM jobs_attempt WHERE job_id = %s ORDER BY no"
        for attempt_id, resumed_step, hello_at in self.rows(sql, job_id):
            if hello_at is not None:
                limit = -1 if resumed_step is None else resumed_step
                expected = {
                    name: {step: value for step, value in points.items() if step <= limit}
                    for name, points in expected.items()
                }
            for line in self.journal(attempt_id, "trainer"):
                if line["type"] == "metrics":
                    for name, value in line["data"]["values"].items():
                        expected.setdefault(name, {})[line["data"]["step"]] = value
        return expected
