"""The supervisor: brings the portal up, keeps it up, and takes it down without leaving anything behind."""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from django.conf import settings
from django.core.management import call_command, get_commands

from modelyard.embedded import EmbeddedError
from modelyard.embedded.postgres import Postgres
from modelyard.embedded.valkey import Valkey
from modelyard.supervisor import address, preparation, programs
from modelyard.supervisor.children import Child, Interrupts, Program

LOG_LIMIT_BYTES = 20 * 1024 * 1024
LOGS_KEPT = 3
DRAIN_SECONDS = 150
READY_WITHIN = 60.0
#: The web process counts as hung when it has not answered for so long.
HUNG_AFTER = 30.0
PROBE_EVERY = 5.0
HOUSEKEEPING_EVERY = 5.0


class AlreadyRunningError(Exception):
    """Another supervisor holds this home."""


class StartFailedError(Exception):
    """A part did not come up; the message says which and where to look."""


@dataclass(frozen=True)
class Options:
    """What the command line of `up` decides."""

    host: str = "127.0.0.1"
    port: int = 0
    with_mlflow: bool = True


class Portal:
    """All processes of one home. `say(part, text)` prints a line of status; everything runs in the main thread."""

    def __init__(self, home: Path, options: Options, say: Callable[[str, str], None]) -> None:
        self.home = home
        self.options = options
        self.say = say
        self.run = home / "run"
        self.logs = home / "logs"
        self.children: list[Child] = []
        self.interrupts = Interrupts()
        self.listener: socket.socket | None = None
        self.url = ""
        self._lock: IO[str] | None = None

    # Up

    def start(self) -> None:
        """Start everything that the portal's readiness needs and wait until it answers.

        Raises AlreadyRunningError, AddressInUseError, EmbeddedError or StartFailedError; the caller then calls `stop`.
        """
        for folder in (self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self.interrupts.install()
        self._start_servers()
        self._prepare()
        url_file = Path(str(settings.JOBS["portal_file"]))
        self.listener = address.listen(self.options.host, self.options.port, url_file)
        self.url = address.url_of(self.listener)
        address.write_url(url_file, self.url)
        for program in (programs.web(self.listener), programs.worker(), programs.node(), programs.beat()):
            self._add(program)
        self._wait_until_ready()

    def start_mlflow(self) -> None:
        """Start MLflow's server beside the ready portal, unless another one is configured or it was declined."""
        if self.options.with_mlflow and not settings.MLFLOW["url"]:
            self._add(programs.mlflow(self.home))

    def _take_lock(self) -> None:
        # Held as long as the file is open: the kernel lets go of it however this process ends.
        self._lock = open(self.run / "up.lock", "a+")  # noqa: SIM115
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            pid = self._lock.read().strip() or "unknown"
            self._lock.close()
            self._lock = None
            raise AlreadyRunningError(
                f"A portal already runs on {self.home} (process {pid}). Stop it first, or set MODELYARD_HOME."
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def _start_servers(self) -> None:
        if not os.environ.get("DATABASE_URL") and not os.environ.get("DATABASE_URL_FILE"):
            server = Postgres(self.home)
            began = time.monotonic()
            self._add(programs.database(server, lambda text: self.say("database", text)))
            self._wait_for("postgres", server.ready, 60.0)
            server.ensure_databases()
            self.say("database", f"PostgreSQL, embedded ({time.monotonic() - began:.1f} s)")
        else:
            self.say("database", "PostgreSQL at DATABASE_URL")
        if not os.environ.get("REDIS_URL") and not os.environ.get("REDIS_URL_FILE"):
            broker = Valkey(self.home)
            self._add(programs.broker(broker))
            self._wait_for("valkey", broker.ready, 15.0)
            self.say("broker", "Valkey, embedded")
        else:
            self.say("broker", "Redis at REDIS_URL")

    def _prepare(self) -> None:
        began = time.monotonic()
        applied = preparation.migrate()
        compiled = preparation.compile_messages()
        collected = preparation.collect_static()
        done = [
            f"{applied} migrations applied" if applied else "schema up to date",
            *([f"{compiled} catalogues compiled"] if compiled else []),
            *(["static files collected"] if collected else []),
        ]
        preparation.preload()
        preparation.release_database()
        self.say("prepared", f"{', '.join(done)} ({time.monotonic() - began:.1f} s)")

    def _add(self, program: Program) -> Child:
        child = Child(program, self.logs / f"{program.name}.log")
        self.children.append(child)
        child.start()
        self._write_processes()
        return child

    def _wait_for(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        child = self._child(name)
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll():
                raise StartFailedError(f"{name} {child.describe_end()} while starting: see {child.log}")
            if time.monotonic() > deadline:
                raise StartFailedError(f"{name} was not ready within {seconds:.0f} s: see {child.log}")
            self._check_interrupted()
            time.sleep(0.02)

    def _wait_until_ready(self) -> None:
        """Wait for `/readyz`; a part that ends meanwhile is started again like at any other time."""
        deadline = time.monotonic() + READY_WITHIN
        answer = "no answer"
        while True:
            answer = _answer(f"{self.url}/readyz", 2.0)
            if answer == "200":
                return
            if time.monotonic() > deadline:
                raise StartFailedError(
                    f"{self.url}/readyz did not become ready within {READY_WITHIN:.0f} s ({answer}): see {self.logs}"
                )
            self._check_interrupted()
            self._tend()
            time.sleep(0.05)

    def _check_interrupted(self) -> None:
        if self.interrupts.stops:
            raise KeyboardInterrupt

    # Staying up

    def watch(self) -> None:
        """Keep all children alive until somebody asks to stop."""
        next_probe = time.monotonic() + PROBE_EVERY
        next_housekeeping = next_probe
        answered = time.monotonic()
        while not self.interrupts.stops:
            self._tend()
            now = time.monotonic()
            web = self._child("web")
            if now >= next_probe and web.alive:
                if _answer(f"{self.url}/healthz", 1.0) == "200" or now - web.started_at < HUNG_AFTER:
                    answered = time.monotonic()
                elif now - answered > HUNG_AFTER:
                    self.say("web", f"has not answered for {HUNG_AFTER:.0f} s: starting it again")
                    web.signal_group(signal.SIGKILL)
                    answered = time.monotonic()
                next_probe = time.monotonic() + PROBE_EVERY
            if now >= next_housekeeping:
                self._rotate_logs()
                next_housekeeping = now + HOUSEKEEPING_EVERY
            self._sleep_until(min([next_probe, next_housekeeping, *self._planned_starts()]))

    def _tend(self) -> None:
        """Reap children that ended and start those whose pause is over."""
        changed = False
        for child in self.children:
            if child.poll():
                pause = child.plan_restart()
                self.say(child.name, f"{child.describe_end()}; starting again in {pause:.1f} s")
                changed = True
            if not child.alive and time.monotonic() >= child.start_after:
                try:
                    child.start()
                except (EmbeddedError, OSError) as error:
                    self.say(child.name, f"{error}; trying again in {child.plan_restart():.1f} s")
                changed = True
        if changed:
            self._write_processes()

    def _planned_starts(self) -> list[float]:
        return [child.start_after for child in self.children if not child.alive]

    def _sleep_until(self, moment: float) -> None:
        seconds = max(0.0, moment - time.monotonic())
        select.select([self.interrupts.descriptor], [], [], seconds)
        self.interrupts.drain()

    def _child(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)

    def _write_processes(self) -> None:
        """`run/processes.json`: name → pid and restarts, for `doctor` and for people who look."""
        facts = {child.name: {"pid": child.pid, "restarts": child.restarts} for child in self.children}
        fresh = self.run / ".processes.json"
        fresh.write_text(json.dumps({"supervisor": {"pid": os.getpid(), "restarts": 0}, **facts}, indent=1))
        fresh.replace(self.run / "processes.json")

    def _rotate_logs(self) -> None:
        """Copy and empty logs that grew too large: children go on appending to the same file."""
        for child in self.children:
            if not child.log.exists() or child.log.stat().st_size < LOG_LIMIT_BYTES:
                continue
            for number in range(LOGS_KEPT - 1, 0, -1):
                older = child.log.with_name(f"{child.log.name}.{number}")
                if older.exists():
                    older.replace(child.log.with_name(f"{child.log.name}.{number + 1}"))
            shutil.copyfile(child.log, child.log.with_name(f"{child.log.name}.1"))
            os.truncate(child.log, 0)

    # Down

    def stop(self) -> None:
        """Take everything down: trainings first, while the portal can still hear them, the database last.

        A second request to stop skips the waiting. When this returns, no child is left.
        """
        if self._lock is None:
            return  # This home belongs to another supervisor; nothing of it is ours.
        asked = self.interrupts.stops
        hastened = self._hastened(max(asked, 1))
        alive = {child.name for child in self.children if child.alive}
        lost_database = "postgres" in {child.name for child in self.children} - alive
        if "web" in alive and not lost_database and "jobs_drain" in get_commands():
            self._drain(hastened)
        for child in reversed(self.children):
            if not child.alive:
                continue
            child.ask_to_stop()
            if not child.wait(child.program.grace, hastened):
                if child.name == "postgres":
                    os.kill(child.pid or 0, signal.SIGQUIT)  # ends at once and recovers at the next start
                    child.wait(5.0)
                child.signal_group(signal.SIGKILL)
                child.wait(5.0)
        self.children.clear()
        (self.run / "processes.json").unlink(missing_ok=True)
        if self.listener is not None:
            self.listener.close()
        self._lock.close()

    def _hastened(self, asked: int) -> Callable[[], bool]:
        return lambda: self.interrupts.stops > asked

    def _drain(self, hastened: Callable[[], bool]) -> None:
        """Ask running trainings to save and stop (`manage.py jobs_drain`); the other parts stay up meanwhile."""
        self.say("stopping", "trainings save and stop; Ctrl-C again to skip")
        drain = Child(
            Program("drain", run=lambda: call_command("jobs_drain", timeout=DRAIN_SECONDS)), self.logs / "drain.log"
        )
        drain.start()
        deadline = time.monotonic() + DRAIN_SECONDS + 30.0
        while not drain.wait(0.2, hastened):
            if hastened() or time.monotonic() > deadline:
                drain.signal_group(signal.SIGKILL)
                drain.wait(5.0)
                break
            self._tend()


def _answer(url: str, timeout: float) -> str:
    """The status code as text, or the kind of failure."""
    try:
        return str(httpx.get(url, timeout=timeout, trust_env=False).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__
