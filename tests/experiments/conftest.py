"""A real MLflow server, on a port and a PostgreSQL database of its own, that a test may kill and start again."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.conf import settings
from modelyard import embedded
from modelyard.embedded import process
from modelyard.embedded.process import Launch
from modelyard.supervisor import address

from apps.core.outbox import services as outbox
from apps.core.outbox.models import OutboxMessage
from apps.experiments import points
from apps.experiments.points import MetricPoint, PointsPage

START_SECONDS = 180


class MlflowServer:
    """The server as `up` starts it. `url` holds the prefix."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder = folder
        self.store = store
        self.port = address.free_port()
        self.url = f"http://127.0.0.1:{self.port}/mlflow"
        self.child: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"{self.url}/api/2.0/", timeout=30, trust_env=False)

    def start(self) -> None:
        launch = Launch(
            command=[sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={self.port}"]
            + ["--workers=1", "--static-prefix=/mlflow", "--serve-artifacts"]
            + [f"--allowed-hosts=127.0.0.1:{self.port}"],
            folder=self.folder,
            environment={
                "MLFLOW_BACKEND_STORE_URI": self.store,
                "MLFLOW_ARTIFACTS_DESTINATION": str(self.folder / "artifacts"),
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
            },
        )
        with open(self.folder / "server.log", "ab") as log:
            self.child = process.start(launch, log)
        process.wait_until(self._answers, self.child, START_SECONDS, "MLflow")

    def kill(self) -> None:
        """As a crash would: nothing is finished first."""
        if self.child is not None:
            process.signal_group(self.child, signal.SIGKILL)
            process.stop(self.child, signal.SIGKILL)
            self.child = None

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.http.get(f"mlflow/{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"mlflow/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def run(self, run_id: str) -> dict[str, Any]:
        return self.get("runs/get", run_id=run_id)["run"]

    def history(self, run_id: str, metric: str) -> list[tuple[int, Any]]:
        """(step, value) of every point, as MLflow has them."""
        found: list[tuple[int, Any]] = []
        query: dict[str, Any] = {"run_id": run_id, "metric_key": metric, "max_results": 25000}
        while True:
            page = self.get("metrics/get-history", **query)
            found += [(point["step"], point["value"]) for point in page.get("metrics", [])]
            if not page.get("next_page_token"):
                return sorted(found)
            query["page_token"] = page["next_page_token"]

    def artifact(self, artifact_uri: str, path: str) -> bytes:
        folder = artifact_uri.removeprefix("mlflow-artifacts:").strip("/")
        answer = self.http.get(f"mlflow-artifacts/artifacts/{folder}/{path}")
        answer.raise_for_status()
        return answer.content

    def _answers(self) -> bool:
        try:
            return self.http.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="session")
def mlflow_process() -> Iterator[MlflowServer]:
    name = f"mlflow_{os.environ.get('PYTEST_XDIST_WORKER', 'tests')}"
    url = embedded.database_url(settings.HOME)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    store = url.replace("postgresql://", "postgresql+psycopg://", 1).replace("/modelyard?", f"/{name}?", 1)
    with tempfile.TemporaryDirectory(prefix="modelyard-mlflow-") as folder:
        server = MlflowServer(Path(folder), store)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def mlflow_server(mlflow_process: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> MlflowServer:
    """The running server, which the settings name."""
    if mlflow_process.child is None:
        mlflow_process.start()
    monkeypatch.setitem(settings.MLFLOW, "url", mlflow_process.url)
    return mlflow_process


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[MetricPoint]:
    """The points of the test's one run, in the order in which they came, in pages of 700."""
    found: list[MetricPoint] = []

    def source(run_id: Any, cursor: int | None, limit: int) -> PointsPage:
        start = cursor or 0
        end = min(len(found), start + 700)
        return PointsPage(found[start:end], end, end < len(found))

    monkeypatch.setattr(points, "_source", source)
    return found


@pytest.fixture
def deliver() -> Callable[[], int]:
    """Delivers every message that waits, as if its pause were over; returns how many went out."""

    def now() -> int:
        OutboxMessage.objects.filter(delivered_at__isnull=True).update(available_at="2000-01-01T00:00Z")
        return outbox.deliver_waiting()

    return now
