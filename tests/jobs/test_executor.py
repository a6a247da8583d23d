"""Attempts as processes of this machine, with real launchers and no portal that answers them."""

import fcntl
import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from apps.jobs.executors import Presence, executor_for
from apps.jobs.models import Attempt
from tests.jobs.support import started

pytestmark = pytest.mark.django_db


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen")


def launchers(attempt: Attempt) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if str(attempt.pk) in line and "modelyard_trainer.launch" in line:
            found.append(process)
    return found


@pytest.fixture
def attempt(settings: Any, tmp_path: Path) -> Iterator[Attempt]:
    settings.JOBS = {**settings.JOBS, "attempts_dir": tmp_path / "attempts", "portal_file": tmp_path / "none.url"}
    found = started()
    yield found
    for process in launchers(found):
        process.kill()


@pytest.fixture
def folder(attempt: Attempt, tmp_path: Path) -> Path:
    return tmp_path / "attempts" / str(attempt.pk)


def test_a_launch_delivered_twice_has_one_launcher_and_one_token(
    attempt: Attempt, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not-for-launchers")
    monkeypatch.setenv("DATABASE_URL", "postgresql://not-for-launchers")
    executor = executor_for("subprocess")
    assert executor.poll(attempt) is Presence.ABSENT
    executor.launch(attempt)
    until(lambda: executor.poll(attempt) is Presence.ALIVE, "the launcher's lock")
    token = (folder / "token").read_text()
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    executor.launch(attempt)
    assert (folder / "token").read_text() == token
    (launcher,) = until(lambda: (found := launchers(attempt)) and len(found) == 1 and found, "one launcher")
    # Detached from whoever started it, and without the portal's secrets.
    assert launcher.ppid() != psutil.Process().pid
    assert "not-for-launchers" not in str(launcher.environ())
    assert token not in " ".join(launcher.cmdline())
    assert token not in str(launcher.environ())


def test_a_launcher_is_killed_found_dead_and_succeeded(attempt: Attempt, folder: Path) -> None:
    executor = executor_for("subprocess")
    executor.launch(attempt)
    until(lambda: (folder / "launcher.json").exists(), "the launcher's own file")
    executor.kill(attempt)
    until(lambda: executor.poll(attempt) is Presence.DEAD, "the launcher's end")
    executor.kill(attempt)
    executor.recover(attempt)
    until(lambda: executor.poll(attempt) is Presence.ALIVE, "the successor's lock")
    (successor,) = launchers(attempt)
    assert "--recover" in successor.cmdline()


def test_a_launcher_that_stands_still_is_told_from_one_whose_portal_is_away(
    attempt: Attempt, folder: Path, settings: Any
) -> None:
    settings.JOBS = {**settings.JOBS, "hung_after_seconds": 3}
    executor = executor_for("subprocess")
    executor.launch(attempt)
    lock = folder / "launcher.lock"
    begin = until(lambda: (folder / "launcher.json").exists() and lock.stat().st_mtime, "the launcher's own file")
    # It has no portal to speak to, and tries again and again.
    until(lambda: lock.stat().st_mtime > begin, "another try")
    assert executor.poll(attempt) is Presence.ALIVE
    (launcher,) = launchers(attempt)
    launcher.suspend()
    until(lambda: executor.poll(attempt) is Presence.HUNG, "a try that is long ago")
    executor.kill(attempt)
    until(lambda: executor.poll(attempt) is Presence.DEAD, "the launcher's end")


def test_a_launcher_whose_portal_takes_the_call_and_is_silent_does_not_count_as_hung(
    attempt: Attempt, folder: Path, settings: Any
) -> None:
    settings.JOBS = {**settings.JOBS, "hung_after_seconds": 8}
    executor = executor_for("subprocess")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        settings.JOBS["portal_file"].write_text(f"http://127.0.0.1:{silent.getsockname()[1]}")
        executor.launch(attempt)
        first = silent.accept()[0]
        # It gives the call up and tries again before anybody could take it for hung.
        silent.settimeout(settings.JOBS["hung_after_seconds"])
        with first, silent.accept()[0]:
            assert executor.poll(attempt) is Presence.ALIVE


def test_another_process_of_the_same_number_is_left_alone(attempt: Attempt, folder: Path) -> None:
    executor = executor_for("subprocess")
    folder.mkdir(parents=True)
    executor.kill(attempt)  # nothing is known of a launcher
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (folder / "launcher.json").write_text(json.dumps({"pid": other.pid}))
        with (folder / "launcher.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            executor.kill(attempt)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_attempt_that_is_over_is_not_launched(attempt: Attempt, folder: Path) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(state="cancelled")
    executor_for("subprocess").launch(attempt)
    assert launchers(attempt) == []
