"""What benchmarks measure against: a portal with its usual settings, and MLflow's own server on the same PostgreSQL."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from modelyard import embedded
from modelyard.supervisor.address import free_port

from tests.resilience.support import Portal, until

ROOT = Path(__file__).resolve().parents[2]
#: MLflow's first start makes its tables, and imports for a long while on a busy machine.
MLFLOW_SECONDS = 240.0
#: What lists are filled with.
TRAININGS_PER_PROJECT = 100


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed and cost."""

    output: str
    seconds: float
    peak_mb: float


class BenchmarkPortal(Portal):
    """`manage.py up` as people run it: leases, heartbeats and durability are those of the settings."""

    extra: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        usual = {name: value for name, value in super().environment.items() if not name.startswith("JOBS_")}
        return {**usual, "MODELYARD_NODE": "bench", **self.extra}

    def django(self, command: str, *values: str, module: str = "rows") -> Any:
        """What a module such as `tests.benchmarks.rows` answers, run in a process of this portal."""
        asked = (command, self.project_id, *values) if module == "rows" else (self.project_id, command, *values)
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *asked],
            cwd=ROOT,
            env={**self.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def manage(self, *arguments: str) -> Done:
        """A management command of this portal, in a process of its own. Raises `RuntimeError` when it fails."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {process.returncode}: {output[-2000:]}")
        return Done(output, time.perf_counter() - began, usage.ru_maxrss / 1024)

    def copy(self, sql: str) -> int:
        """Reads what a COPY sends; the number of bytes."""
        self.rows("SELECT 1")  # connects
        assert self._database is not None
        with self._database.cursor() as cursor, cursor.copy(sql) as rows:  # type: ignore[call-overload]
            return sum(len(block) for block in rows)

    def execute(self, sql: str, values: dict[str, Any] | None = None) -> None:
        """Runs a statement with named values."""
        self.rows("SELECT 1")  # connects
        assert self._database is not None
        self._database.execute(sql, values)


@contextmanager
def portal(**extra: str) -> Iterator[BenchmarkPortal]:
    """A running portal with one engineer and one project; it and its home are gone afterwards."""
    found = BenchmarkPortal()
    found.extra = extra
    try:
        found.start()
        found.wait_until_well()
        yield found
    finally:
        found.close()


@contextmanager
def mlflow_server(beside: BenchmarkPortal, *, workers: int) -> Iterator[str]:
    """`mlflow server` in the portal's PostgreSQL, in its own database; yields its URL."""
    port = free_port()
    folder = beside.folder / "mlflow"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    environment = {
        **beside.environment,
        # The URL holds a password: by the environment, never by an argument.
        "MLFLOW_BACKEND_STORE_URI": embedded.mlflow_database_url(beside.home),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", f"--workers={workers}"]
    command += ["--default-artifact-root", str(folder / "artifacts"), "--uvicorn-opts=--log-level=warning"]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        if server.poll() is not None:
            raise RuntimeError((folder / "server.log").read_text()[-3000:])
        try:
            return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(answers, "MLflow's server", MLFLOW_SECONDS)
        yield url
    finally:
        # Its workers are in the session of its own that was made above.
        os.killpg(server.pid, signal.SIGTERM)
        process_ended(server, server.pid)


def process_ended(server: subprocess.Popen[bytes], group: int, seconds: float = 15.0) -> None:
    """Waits for a process, then makes sure that its group is gone."""
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
    server.wait()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call took, and what it returned."""
    began = time.perf_counter()
    answer = call()
    return time.perf_counter() - began, answer


def nonce() -> str:
    return secrets.token_hex(8)


__all__ = ["BenchmarkPortal", "mlflow_server", "nonce", "portal", "timed", "until"]
