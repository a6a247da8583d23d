"""`manage.py up` with real processes: it starts, repairs, refuses a second one, and leaves nothing behind."""

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import pytest
from modelyard.embedded import process

from tests.services import PORTALS_STATIC_ROOT

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"postgres", "valkey", "web", "worker", "node", "beat"}
#: Generous: the machine may be busy with other tests.
PATIENCE = 90.0
#: The first start makes the tables.
START_SECONDS = 400.0


def eventually(condition, what, seconds=PATIENCE):
    """Wait until `condition()` is truthy and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


class Up:
    """One `manage.py up` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        self.lines: list[str] = []

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "MODELYARD_HOME": str(self.home),
            "DJANGO_SETTINGS_MODULE": "modelyard.settings.base",
        }
        environment["STATIC_ROOT"] = environment[PORTALS_STATIC_ROOT]
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, *arguments: str) -> str:
        """Start and wait for the line that says where the portal is; the URL."""
        self.process = self.command("up", "--no-mlflow", *arguments)
        assert self.process.stdout is not None
        self.lines = []
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 1.0)[0]:
                line = self.process.stdout.readline()
                self.lines.append(line)
                if "ready at" in line:
                    return line.split()[-1].rstrip("/")
                if not line:
                    break
        raise AssertionError("".join(self.lines))

    def pids(self) -> dict[str, int]:
        facts = json.loads((self.home / "run" / "processes.json").read_text())
        return {name: fact["pid"] for name, fact in facts.items() if fact["pid"]}

    def restarts(self) -> dict[str, int]:
        facts = json.loads((self.home / "run" / "processes.json").read_text())
        return {name: fact["restarts"] for name, fact in facts.items()}

    def stop(self, number: int = signal.SIGINT) -> str:
        """What it says after the line that `start` waited for."""
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(number)
        patience = threading.Timer(PATIENCE, self.process.kill)
        patience.start()
        # `communicate` would lose the lines that came together with the last one that was read.
        output = self.process.stdout.read()
        self.process.wait()
        patience.cancel()
        return output


@pytest.fixture(scope="module")
def home():
    folder = Path(tempfile.mkdtemp(prefix="modelyard-up-", dir="/tmp"))
    folder.chmod(0o711)
    home = folder / "home"
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def up(home):
    portal = Up(home)
    yield portal
    if portal.process is not None and portal.process.poll() is None:
        portal.process.send_signal(signal.SIGINT)
        portal.process.send_signal(signal.SIGINT)
        portal.process.communicate(timeout=PATIENCE)


def watch_all(pids):
    return {name: os.pidfd_open(pid) for name, pid in pids.items()}


def all_ended(watched, seconds=20):
    deadline = time.monotonic() + seconds
    return {name: process.has_ended(fd, max(0.0, deadline - time.monotonic())) for name, fd in watched.items()}


def test_it_answers_is_alone_on_its_home_and_ctrl_c_leaves_nothing(up):
    url = up.start()
    assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    assert (up.home / "run" / "portal.url").read_text().strip() == url
    assert "starting" in up.lines[0]
    assert stat.S_IMODE((up.home / "mail").stat().st_mode) == 0o700
    pids = up.pids()
    assert set(pids) == PARTS | {"supervisor"}
    # Forking is safe only from a process without other threads.
    assert "Threads:\t1\n" in Path(f"/proc/{pids['supervisor']}/status").read_text()
    secrets = [file.read_text() for file in (up.home / "secrets").iterdir()]
    assert len(secrets) >= 3
    for pid in pids.values():
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
        assert [word for word in secrets if word in arguments] == []

    second = up.command("up", "--no-mlflow")
    output, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert f"already runs on {up.home} (process {pids['supervisor']})" in output
    assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200

    watched = watch_all(pids)
    output = up.stop()
    assert f"EMAIL_HOST: mails, with the links of sign-up, are kept in {up.home / 'mail'}" in output
    assert "nothing is left running" in output
    assert up.process.returncode == 0
    assert set(all_ended(watched).values()) == {True}
    assert not (up.home / "run" / "processes.json").exists()


def test_a_killed_part_comes_back_and_the_port_stays(up):
    url = up.start()
    before = up.pids()
    for name in PARTS:
        os.kill(before[name], signal.SIGKILL)

    def repaired():
        now = up.pids()
        return set(now) == PARTS | {"supervisor"} and all(now[name] != before[name] for name in PARTS)

    eventually(repaired, "the restart of every part")

    def ready():
        try:
            return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    eventually(ready, "readiness after the restart")
    assert up.pids()["supervisor"] == before["supervisor"]
    assert min(count for name, count in up.restarts().items() if name in PARTS) >= 1
    up.stop(signal.SIGTERM)

    # The next start takes the same port, so that running launchers find the portal again.
    assert up.start() == url


def test_parts_end_with_a_killed_supervisor(up):
    up.start()
    pids = up.pids()
    watched = watch_all(pids)
    up.process.kill()
    up.process.communicate(timeout=PATIENCE)
    assert set(all_ended(watched, 30).values()) == {True}
    # What the killed one left is no obstacle.
    up.start()


def test_a_port_that_is_taken_is_refused_in_words(up):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = up.command("up", "--no-mlflow", "--port", str(port))
        output, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in output
    assert "Traceback" not in output
    assert not (up.home / "run" / "processes.json").exists()
