"""Attempts as processes of this machine: a detached launcher in a folder of its own."""

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import psutil
from django.conf import settings

from apps.jobs.executors.base import Executor, Presence
from apps.jobs.executors.sweeping import sweep_folders
from apps.jobs.models import Attempt
from apps.jobs.services.attempts import attempt_arm

#: How long a launcher waits for a portal that took its call and is silent.
PATIENCE_SECONDS = 30.0


class SubprocessExecutor(Executor):
    """Runs on the node's own worker. The launcher's lock on its folder is what proves that it lives."""

    def launch(self, attempt: Attempt) -> None:
        folder = self._folder(attempt)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if attempt_arm(attempt=attempt, token=self._token(folder)):
            self._start(attempt, folder)

    def poll(self, attempt: Attempt) -> Presence:
        folder = self._folder(attempt)
        if not (folder / "token").exists():
            return Presence.ABSENT
        lock = folder / "launcher.lock"
        if not _is_locked(lock):
            return Presence.DEAD
        # A launcher marks its lock at every try to call, whether the portal answers or not.
        hangs = time.time() - lock.stat().st_mtime > settings.JOBS["hung_after_seconds"]
        return Presence.HUNG if hangs else Presence.ALIVE

    def recover(self, attempt: Attempt) -> None:
        self._start(attempt, self._folder(attempt), "--recover")

    def kill(self, attempt: Attempt) -> None:
        folder = self._folder(attempt)
        try:
            state = json.loads((folder / "launcher.json").read_text())
            launcher = psutil.Process(state["pid"])
            # A successor says who it is only after its hello: the number may be another process's by now.
            if _is_locked(folder / "launcher.lock") and _is_launcher(launcher, attempt):
                launcher.kill()
        except (FileNotFoundError, psutil.NoSuchProcess):
            return

    def sweep(self) -> int:
        root = Path(settings.JOBS["attempts_dir"])
        return sweep_folders(root, lambda folder: _is_locked(folder / "launcher.lock"))

    def _start(self, attempt: Attempt, folder: Path, *options: str) -> None:
        # The launcher takes its own place in the process tree; this returns when it has.
        subprocess.run(
            [
                sys.executable,
                "-m",
                "modelyard_trainer.launch",
                "--attempt",
                str(attempt.pk),
                "--folder",
                str(folder),
                "--portal-file",
                str(settings.JOBS["portal_file"]),
                "--trainers",
                str(settings.TRAINERS_DIR),
                "--cache",
                str(settings.CACHE_DIR),
                "--timeout-seconds",
                str(_patience()),
                *options,
            ],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
            timeout=30,
        )

    def _folder(self, attempt: Attempt) -> Path:
        return Path(settings.JOBS["attempts_dir"]) / str(attempt.pk)

    def _token(self, folder: Path) -> str:
        """The attempt's token: made once per folder, so that two deliveries of a launch agree on it."""
        path = folder / "token"
        temporary = folder / f".token-{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            # A link appears whole or not at all, and only one of two wins.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return path.read_text()


def _patience() -> float:
    """A launcher that waits for an answer must try again long before it counts as hung: a frozen portal is not its
    fault."""
    return min(PATIENCE_SECONDS, settings.JOBS["hung_after_seconds"] / 2)


# For the launcher and the installer that builds environments; a trainer gets only what the launcher hands on.
KEPT_VARIABLES = {"PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "CUDA_HOME"}
KEPT_VARIABLES |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "XDG_CACHE_HOME"}
KEPT_PREFIXES = ("PIP_", "UV_", "NVIDIA_")


def _environment() -> dict[str, str]:
    """What a launcher may know: nothing of the portal's secrets, only where programs and packages are found."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    return {**found, "PYTHONPATH": str(Path(settings.TRAINERS_DIR) / "sdk")}


def _is_launcher(process: psutil.Process, attempt: Attempt) -> bool:
    try:
        return str(attempt.pk) in process.cmdline()
    except psutil.AccessDenied:
        return False


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
