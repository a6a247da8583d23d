"""Pytest plugin: a database and a broker of their own for each test run.

Loaded with `-p tests.services` (pyproject.toml), before Django's settings are read. The controller starts the embedded
PostgreSQL and Valkey in a temporary home and points `MODELYARD_HOME` at it; xdist workers inherit the environment and
start nothing. At the end both servers are stopped and the home is removed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# `pythonpath` of pyproject.toml is applied after plugins are imported. Programs that a test starts need it too.
FOLDERS = [str(ROOT / "platform"), str(ROOT), str(ROOT / "trainers" / "sdk")]
sys.path[:0] = [folder for folder in FOLDERS if folder not in sys.path]
os.environ["PYTHONPATH"] = os.pathsep.join(
    [*FOLDERS, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part not in FOLDERS)]
)

from modelyard.embedded import paths, process
from modelyard.embedded.postgres import Postgres
from modelyard.embedded.valkey import Valkey

PREFIX = "modelyard-tests-"
#: Files there lie in memory. A run leaves 1.1 GiB there at the end, most of it the database's log.
MEMORY = "/dev/shm"
ROOM = 4 * 1024**3
#: A person's own settings must not leak into tests, nor tests into a person's servers.
FOREIGN_VARIABLES = (
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "MLFLOW_DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_URL",
    "MLFLOW_TRACKING_URL",
    "PUBLIC_URL",
    "EMAIL_HOST",
    "S3_BUCKET",
    "SECRET_KEY",
    "DEBUG",
    "ALLOWED_HOSTS",
)
#: The data goes away with the run: nothing is done for what comes after a crash, and little for what is deleted.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
    "autovacuum_naptime": "5min",
}
#: Names the folder of static files that all portals of a run share: the first one that is started fills it.
PORTALS_STATIC_ROOT = "PORTALS_STATIC_ROOT"
SERVICES = pytest.StashKey["Services"]()


def _place() -> str:
    """In memory where there is plenty: no disk has to take what a run writes and throws away."""
    has_room = Path(MEMORY).is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if has_room and _free_memory() >= ROOM else "/tmp"


def _free_memory() -> int:
    """Bytes that programs may still take, as Linux counts them; 0 where it is not told."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024
    return 0


class Services:
    """The servers of one test run."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
        # As root the database runs under another account, which must be able to pass.
        self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        database = Postgres(
            self.home,
            settings=SETTINGS,
            create_databases=True,
        )
        for server in (Valkey(self.home), database):
            server.prepare()
            with open(self.home / "servers.log", "ab") as log:
                self.children.append(process.start(server.launch(), log))
            process.wait_until(server.ready, self.children[-1], 30, type(server).__name__)
        database.ensure_databases()

    def stop(self) -> None:
        for child in reversed(self.children):
            process.stop(child, signal.SIGQUIT)  # the data goes away with the home: no checkpoint
        self.children.clear()
        shutil.rmtree(self.home, ignore_errors=True)
        # Sockets lie elsewhere when the home cannot hold them.
        for folder in Path("/tmp").glob(f"modelyard-*-{paths.home_hash(self.home)}"):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Before pytest-django reads the settings: servers first, in the controller only."""
    known = early_config.known_args_namespace
    if os.environ.get("PYTEST_XDIST_WORKER") or known.help or known.version:
        return
    for name in FOREIGN_VARIABLES:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    services = Services()
    early_config.stash[SERVICES] = services
    early_config.add_cleanup(services.stop)
    os.environ["MODELYARD_HOME"] = str(services.home)
    os.environ["STATIC_ROOT"] = str(services.home / "staticfiles")
    os.environ[PORTALS_STATIC_ROOT] = str(services.home / "portals-staticfiles")
    services.start()
