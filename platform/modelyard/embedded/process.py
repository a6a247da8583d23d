"""Starting a child that does not outlive us: own process group, signalled by the kernel when its parent dies."""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from modelyard.embedded.errors import EmbeddedError
from modelyard.embedded.paths import Account

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Launch:
    """How one server is started and asked to end."""

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    #: What the kernel sends when its parent has died; None: the stop signal.
    orphan_signal: signal.Signals | None = None


def start(launch: Launch, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start `launch`; `output` takes its stdout and stderr. Call it from the main thread: the kernel sends the
    child's signal when the thread that forked ends."""
    parent = os.getpid()

    def bind_to_parent() -> None:
        # Runs after the change of account, which would have cleared the setting.
        _libc.prctl(PR_SET_PDEATHSIG, launch.orphan_signal or launch.stop_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # The parent died before the setting was made.

    account = launch.account
    return subprocess.Popen(
        list(launch.command),
        cwd=launch.folder,
        env={**os.environ, **launch.environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=bind_to_parent,  # noqa: PLW1509 - it takes no lock, so threads of ours cannot block it
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
    )


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to the child's whole group; nothing happens when it has gone."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def stop(process: subprocess.Popen[bytes], number: signal.Signals, timeout: float = 10.0) -> None:
    """Ask the child to end, wait, then kill what is left of its group. Its exit is always reaped."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
    signal_group(process, signal.SIGKILL)
    process.wait()


def has_ended(descriptor: int, seconds: float) -> bool:
    """True when the process behind a pidfd, which need not be our child, has ended within the time."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], timeout: float, what: str) -> None:
    """Return once `ready()` is true; an `EmbeddedError` when the child ends first or the time is over."""
    deadline = time.monotonic() + timeout
    while not ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{what} ended while starting (exit status {process.returncode}).")
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{what} was not ready within {timeout:.0f} seconds.")
        time.sleep(0.02)
