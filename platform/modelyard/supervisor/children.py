"""One supervised process: started, watched, started again with growing pauses, stopped with its whole group."""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from modelyard.embedded import process
from modelyard.embedded.process import Launch

PR_SET_NAME = 15
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
#: A child that lived this long has recovered: its next end counts as the first.
SETTLED_AFTER = 60.0
HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class Program:
    """What a child does: `launch` gives a program to execute, or `run` a function for a fork of this process.

    A fork shares the memory of everything that is imported already and is ready in a fraction of the time that a new
    interpreter needs. `before` is called ahead of every start, so that what a killed predecessor left is cleared.
    """

    name: str
    launch: Callable[[], Launch] | None = None
    run: Callable[[], object] | None = None
    before: Callable[[], None] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    #: Descriptors that a fork keeps open; all others beyond the standard three are closed in it.
    keeps: frozenset[int] = frozenset()


class Child:
    """The running instance of a program. Not thread-safe: everything is called from the supervisor's main thread."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.name = program.name
        self.log = log
        self.pid: int | None = None
        self.started_at = 0.0
        self.restarts = 0
        self.failures = 0
        self.start_after = 0.0
        self.status: int | None = None

    def start(self) -> None:
        """Start the program; its output is appended to the log. Raises what `before` raises."""
        self.program.before()
        output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if self.program.launch is not None:
                # The handle is not kept: children are reaped by `poll`, whichever way they were started.
                popen = process.start(self.program.launch(), output)
                self.pid, popen.returncode = popen.pid, 0
            else:
                self.pid = self._fork(output)
        finally:
            os.close(output)
        self.started_at = time.monotonic()
        self.status = None

    def _fork(self, output: int) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.setsid()
            libc = ctypes.CDLL(None)
            # A worker that cannot reach its broker any more would not hear a politer signal.
            libc.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            libc.prctl(PR_SET_NAME, f"modelyard-{self.name}".encode()[:15], 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in HANDLED_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            # Above all the lock of the home, which must go with the supervisor.
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                if descriptor > 2 and descriptor not in self.program.keeps:
                    _close(descriptor)
            os.environ.update(self.program.environment)
            assert self.program.run is not None
            self.program.run()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - this process ends here: whatever it was goes to the log
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def poll(self) -> bool:
        """Reap the child when it has ended; True exactly once per end. What is left of its group is killed."""
        if self.pid is None:
            return False
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0
        if pid == 0:
            return False
        self.signal_group(signal.SIGKILL)
        self.pid = None
        self.status = os.waitstatus_to_exitcode(status)
        return True

    def plan_restart(self) -> float:
        """Decide when the ended child may start again; the pause in seconds."""
        now = time.monotonic()
        if now - self.started_at >= SETTLED_AFTER:
            self.failures = 0
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures += 1
        self.restarts += 1
        self.start_after = now + pause
        return pause

    def signal_group(self, number: int) -> None:
        if self.pid is not None:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass

    def ask_to_stop(self) -> None:
        """Send the stop signal to the child itself; it ends its own helpers."""
        if self.pid is not None:
            os.kill(self.pid, self.program.stop_signal)

    def wait(self, seconds: float, hastened: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the end of the child, at most `seconds` or until `hastened()`; True when it has ended."""
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if self.poll():
                break
            if time.monotonic() > deadline or hastened():
                return False
            time.sleep(0.02)
        return True

    def describe_end(self) -> str:
        """How the child ended, in words."""
        if self.status is not None and self.status < 0:
            return f"was killed by {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # The listing's own descriptor is gone by now.


class Interrupts:
    """Remembers signals for the main loop; nothing happens inside a handler.

    `stops` counts requests to stop (SIGINT, SIGTERM, SIGHUP). `descriptor` becomes readable with every signal.
    """

    def __init__(self) -> None:
        self.stops = 0
        self.descriptor, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def install(self) -> None:
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup` wants SIGHUP to stay ignored.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    def drain(self) -> None:
        """Empty the pipe, so that the next wait really waits."""
        try:
            while os.read(self.descriptor, 1024):
                pass
        except BlockingIOError:
            pass
