"""The processes that make up a portal, in the order in which they start; they stop in reverse."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from django.conf import settings

from modelyard import embedded
from modelyard.celery import app as celery
from modelyard.embedded.postgres import Postgres
from modelyard.embedded.process import Launch
from modelyard.embedded.valkey import Valkey
from modelyard.supervisor import address
from modelyard.supervisor.children import Program

SHARED_QUEUES = "default,io"
THREADS = "8"


def database(server: Postgres, say: Callable[[str], None]) -> Program:
    return Program(
        "postgres",
        launch=server.launch,
        before=lambda: server.prepare(say),
        stop_signal=signal.SIGINT,
        grace=30.0,
    )


def broker(server: Valkey) -> Program:
    return Program("valkey", launch=server.launch, before=server.prepare)


def web(listener: socket.socket) -> Program:
    def run() -> None:
        config = uvicorn.Config(
            "modelyard.asgi:application",
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=4,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listener])

    return Program("web", run=run, grace=8.0, keeps=frozenset({listener.fileno()}))


def worker() -> Program:
    """The worker of the queues that every node may serve."""
    return Program("worker", run=lambda: _work(f"portal@{settings.NODE_NAME}", SHARED_QUEUES))


def node() -> Program:
    """The worker of this node: it starts and stops trainers, and reports telemetry."""
    name = settings.NODE_NAME
    return Program(
        "node",
        run=lambda: _work(f"node@{name}", f"cpu.{name},gpu.{name}"),
        environment={"MODELYARD_NODE": name, "MODELYARD_NODE_WORKER": "1"},
    )


def _work(name: str, queues: str) -> None:
    os.environ["CELERY_SKIP_CHECKS"] = "1"  # `up` has run the system checks
    celery.worker_main(
        ["worker", "-Q", queues, "-n", name, "--pool=threads", f"--concurrency={THREADS}"]
        + [f"--loglevel={settings.LOG_LEVEL}", "--without-gossip", "--without-mingle"]
    )


def beat() -> Program:
    def run() -> None:
        celery.Beat(loglevel=settings.LOG_LEVEL, scheduler=settings.CELERY_BEAT_SCHEDULER, pidfile=None).run()

    return Program("beat", run=run)


def mlflow(home: Path) -> Program:
    """MLflow's own server, on a loopback port of its own, behind the portal's sign-in.

    Its application is run by uvicorn as `mlflow server` would run it, with the same variables, but without that
    command's process around it, which costs 200 MB and leaves its child behind when it is killed. The database's URL
    holds a password: it goes by the environment, never by an argument that everybody can read.
    """

    def launch() -> Launch:
        port = address.free_port()
        artifacts = home / "mlflow" / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        address.write_url(Path(str(settings.MLFLOW["url_file"])), f"http://127.0.0.1:{port}/mlflow")
        return Launch(
            command=[sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app"]
            + ["--host=127.0.0.1", f"--port={port}", "--log-level=warning"],
            folder=home / "mlflow",
            environment={
                "_MLFLOW_SERVER_FILE_STORE": _mlflow_store(home),
                "_MLFLOW_SERVER_REGISTRY_STORE": _mlflow_store(home),
                "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
                "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
                "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
                "_MLFLOW_STATIC_PREFIX": "/mlflow",
                "_MLFLOW_SGI_NAME": "uvicorn",
                "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port},localhost:{port}",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
            },
            # Asked politely, it first finishes what it is answering, and looks for a database that went with us for
            # 100 seconds.
            orphan_signal=signal.SIGKILL,
        )

    return Program("mlflow", launch=launch)


def _mlflow_store(home: Path) -> str:
    return os.environ.get("MLFLOW_DATABASE_URL") or embedded.mlflow_database_url(home)
