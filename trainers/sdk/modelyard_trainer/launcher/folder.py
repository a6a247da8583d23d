"""The attempt's folder on the node: names, the lock that proves life, and the small state files."""

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from modelyard_trainer.files import write_atomic, write_json
from modelyard_trainer.launcher.processes import Process, process


def boot_id() -> str:
    """The kernel's name for this boot: process numbers of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class AttemptFolder:
    """Paths and state files of one attempt. Every state file appears whole or not at all."""

    def __init__(self, path: Path):
        self.path = path.resolve()
        self.token = self.path / "token"
        self.spec = self.path / "spec.json"
        self.inputs = self.path / "inputs"
        self.output = self.path / "output"
        self.home = self.path / "home"
        self.temporary = self.path / "tmp"
        self.journal = self.path / "journal.jsonl"
        self.launcher_journal = self.path / "launcher.jsonl"
        self.log = self.path / "trainer.log"
        self._lock: int | None = None

    def lock(self) -> bool:
        """Takes the launcher's lock for the rest of this process's life; False when another launcher lives."""
        descriptor = os.open(self.path / "launcher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        self.pulse()
        return True

    def pulse(self) -> None:
        """Marks the lock: who finds it held and long unmarked knows that the launcher hangs."""
        if self._lock is not None:
            os.utime(self._lock)

    def write_launcher(self, nonce: str, trainer: Process | None = None) -> None:
        """Says who the launcher and its trainer are, so that a successor can find what they left."""
        me = process(os.getpid())
        state = {"pid": os.getpid(), "start_time": me.started if me else 0, "nonce": nonce, "boot_id": boot_id()}
        state["trainer_pid"] = trainer.pid if trainer else None
        state["trainer_start_time"] = trainer.started if trainer else None
        write_json(self.path / "launcher.json", state)

    def predecessors_trainer(self) -> Process | None:
        """The trainer that a dead launcher of this boot had started, alive or not; None when it had none."""
        state = self._read("launcher.json")
        if not state or state.get("boot_id") != boot_id() or not state.get("trainer_pid"):
            return None
        pid, started = int(state["trainer_pid"]), int(state["trainer_start_time"])
        return Process(pid, "?", 1, pid, pid, 0, started)

    def write_exit(self, ending: dict[str, Any]) -> None:
        write_json(self.path / "exit.json", ending)

    def read_exit(self) -> dict[str, Any] | None:
        """How the trainer ended; None when nobody wrote it down."""
        return self._read("exit.json")

    def write_shipped(self, cursors: dict[str, int]) -> None:
        write_json(self.path / "shipped.json", cursors)

    def write_ended(self) -> None:
        write_atomic(self.path / "ended", b"")

    def _read(self, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(OSError, ValueError):
            value = json.loads((self.path / name).read_bytes())
            if isinstance(value, dict):
                return value
        return None
