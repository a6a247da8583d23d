"""One attempt from hello to end: prepares, starts the trainer, ships what it says, obeys, reports."""

import contextlib
import os
import secrets
import select
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_trainer.environments import BuildError, Cancelled, ensure
from modelyard_trainer.exit_codes import FAILURE_EXITS, ExitCode
from modelyard_trainer.journal import Journal, JournalError
from modelyard_trainer.launcher.folder import AttemptFolder, boot_id
from modelyard_trainer.launcher.inputs import InputError, Inputs
from modelyard_trainer.launcher.portal import Abandoned, Portal, Refused, Stale
from modelyard_trainer.launcher.processes import kill_leftovers
from modelyard_trainer.launcher.shipping import Shipping
from modelyard_trainer.launcher.stopping import PLATFORM_GRACE, StopOrders
from modelyard_trainer.launcher.telemetry import Telemetry, cgroup_kills
from modelyard_trainer.launcher.trainer import (
    Trainer,
    make_temporary,
    remove_temporary,
    start_trainer,
    trainer_environment,
)
from modelyard_trainer.paths import UnsafePath, inside

PROTOCOL = 1
LOOK_SECONDS = 0.5
LOG_SECONDS = 10.0
# After the platform's own stop the portal is likely gone; what is not shipped by then waits for `--recover`.
LEAVE_SECONDS = 15.0
MESSAGE_CHARACTERS = 4000


class StopAsked(Exception):
    """The work was stopped before the trainer began."""


@dataclass
class Ending:
    """How the attempt ended, as `end` and exit.json say it; `reason` None means: see the exit code."""

    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    params: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        ending = {"exit_code": self.exit_code, "signal": self.signal, "reason": self.reason}
        return {**ending, "params": self.params or {}}


@dataclass(frozen=True)
class Orders:
    """The answer to hello."""

    spec: dict[str, Any]
    trainer: dict[str, Any]
    dataset: Any
    files: list[dict[str, Any]]
    heartbeat_seconds: float
    ship_seconds: float
    log_cap_bytes: int
    blob_root: str | None
    cursors: dict[str, int]

    @classmethod
    def read(cls, answer: dict[str, Any]) -> "Orders":
        return cls(
            spec=answer["spec"],
            trainer=answer["trainer"],
            dataset=answer.get("dataset"),
            files=answer.get("files") or [],
            heartbeat_seconds=float(answer.get("heartbeat_seconds") or 5.0),
            ship_seconds=float(answer.get("ship_seconds") or 0.25),
            log_cap_bytes=int(answer.get("log_cap_bytes") or (64 << 20)),
            blob_root=answer.get("blob_root"),
            cursors=answer.get("cursors") or {},
        )


class Session:
    """The launcher's work. All of it happens in the main thread except shipping, log capture and telemetry."""

    def __init__(self, folder: AttemptFolder, portal: Portal, *, trainers: Path, cache: Path, recover: bool):
        self.folder = folder
        self.portal = portal
        self.trainers = trainers
        self.cache = cache
        self.recover = recover
        self.nonce = secrets.token_hex(16)
        self.channel = portal.channel()
        self.orders: Orders | None = None
        self.journal: Journal | None = None
        self.shipping: Shipping | None = None
        self.trainer: Trainer | None = None
        self.resources: dict[str, Any] = {}
        self.stop = StopOrders()
        self.stale = threading.Event()
        self.claimed = self.reporting = False
        self.own_signals = 0
        self.memory_over: tuple[float, float] | None = None
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._kills_before = cgroup_kills()

    # Talk

    def wake(self) -> None:
        """Makes the main thread look at once; may be called from threads and signal handlers."""
        # A full pipe is a wake-up that is already under way.
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def obey(self, commands: list[dict[str, Any]]) -> None:
        """Notes the portal's commands."""
        for command in commands:
            if command.get("command") == "stop":
                self.stop.ask(str(command.get("reason") or "user"), float(command.get("grace_seconds", 120)))
                self.wake()

    def on_signal(self, *_: object) -> None:
        """The platform goes down: stop the trainer as if told to; a second time, at once."""
        self.own_signals += 1
        if not self.claimed:
            self.portal.leave_by = time.monotonic()
        elif self.reporting:
            self._leave_soon()
        self.wake()

    def _leave_soon(self) -> None:
        """The platform goes down and the portal with it: do not wait for it much longer."""
        patience = LEAVE_SECONDS if self.own_signals == 1 else 0.0
        self.portal.leave_by = min(self.portal.leave_by, time.monotonic() + patience)

    def on_stale(self, reason: str) -> None:
        print(f"stale: {reason}", file=sys.stderr)
        self.stale.set()
        self.portal.leaving.set()
        self.wake()

    def say(self, type_: str, data: dict[str, Any]) -> None:
        """Appends to the launcher's own stream; what comes after its end goes to launcher.log."""
        try:
            if self.journal is None:
                raise JournalError("not open yet")
            self.journal.append(type_, data)
        except JournalError as error:
            print(f"{type_} {data} ({error})", file=sys.stderr)

    def say_preparing(self, current: float, total: float, unit: str, message: str) -> None:
        data: dict[str, Any] = {"stage": "preparing", "current": current, "total": total, "unit": unit}
        data |= {"fraction": 0.0, "message": message[:MESSAGE_CHARACTERS]}
        self.say("progress", data)

    # The course of an attempt

    def run(self) -> int:
        """Returns the launcher's exit code: 0 unless the launcher itself failed."""
        self.portal.obey = self.obey
        self.portal.on_try = self.folder.pulse
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, self.on_signal)
        predecessors = self.folder.predecessors_trainer() if self.recover else None
        if self.recover:
            kill_leftovers(self.portal.attempt_id, predecessors)
        try:
            self._hello()
            ending = self._recovered_ending() if self.recover else self._work()
            if self.stale.is_set():
                return 0
            if not self.recover or self.folder.read_exit() is None:
                self.folder.write_exit(ending)
            return self._report(ending)
        except (Stale, Abandoned) as error:
            print(f"leaving: {type(error).__name__}: {error}", file=sys.stderr)
            return 0
        finally:
            self._kill_all()
            remove_temporary(self.folder)
            self.portal.leaving.set()

    def _hello(self) -> None:
        """Claims the attempt and begins to ship. Raises Stale when it is not this launcher's to run."""
        if not self.recover:
            self.folder.write_launcher(self.nonce)
        body = {
            "nonce": self.nonce,
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "boot_id": boot_id(),
            "version": PROTOCOL,
            "recovering": self.recover,
        }
        answer = self.channel.post("hello", body)
        self.claimed = True
        if self.recover:
            self.folder.write_launcher(self.nonce)
        self.orders = orders = Orders.read(answer)
        self.journal = Journal(self.folder.launcher_journal, go_on=self.recover)
        self.shipping = Shipping(
            self.portal,
            self.folder,
            self.say,
            self.on_stale,
            cursors=orders.cursors,
            ship_seconds=orders.ship_seconds,
            heartbeat_seconds=orders.heartbeat_seconds,
        )
        self.shipping.start()

    def _recovered_ending(self) -> dict[str, Any]:
        written = self.folder.read_exit()
        if written is not None:
            return written
        return Ending(reason="launcher_lost").as_dict()

    def _work(self) -> dict[str, Any]:
        """Prepares and runs the trainer; whatever happens becomes an ending."""
        try:
            self._prepare_and_start()
            ending = self._attend()
        except StopAsked:
            ending = Ending(reason=self.stop.reason)
        except InputError as error:
            ending = Ending(reason=error.reason, params=error.params)
        except BuildError as error:
            params = {"message": str(error), "output": error.output[-MESSAGE_CHARACTERS:]}
            ending = Ending(reason="environment_failed", params=params)
        except (Stale, Abandoned):
            raise
        except Exception as error:  # noqa: BLE001 (the portal must hear of the launcher's own failures too)
            traceback.print_exc()
            ending = Ending(reason="launcher_failed", params={"message": f"{type(error).__name__}: {error}"})
        self.channel.check = lambda: None
        self._kill_all()
        self._finish_log()
        return ending.as_dict()

    def _check(self) -> None:
        """Raises when the preparation shall be given up."""
        self._look_at_signals()
        if self.stale.is_set():
            raise Abandoned
        if self.stop.reason:
            raise StopAsked

    def _cancelled(self) -> bool:
        self._look_at_signals()
        return self.stale.is_set() or self.stop.reason is not None

    def _look_at_signals(self) -> None:
        if self.own_signals == 1:
            self.stop.ask("platform_stopping", PLATFORM_GRACE)
        elif self.own_signals > 1:
            self.stop.ask("platform_stopping", 0)

    def _prepare_and_start(self) -> None:
        orders = self.orders
        assert orders is not None
        self._check()
        try:
            trainer_folder = inside(self.trainers, orders.trainer["path"])
        except UnsafePath as error:
            raise InputError("trainer_missing", str(error)) from error
        if not (trainer_folder / "trainer.toml").is_file():
            raise InputError("trainer_missing", f"this node has no trainer {orders.trainer['path']}")
        inputs = Inputs(
            self.folder,
            self.channel,
            blob_root=orders.blob_root,
            progress=self.say_preparing,
            check=self._check,
        )
        self.channel.check = self._check
        spec = inputs.prepare(orders.spec, orders.dataset, orders.files)
        python = self._environment(trainer_folder)
        self._check()
        self.resources = spec.get("resources") or {}
        environment = trainer_environment(
            self.folder,
            self.portal.attempt_id,
            trainer_folder,
            (orders.trainer.get("environment") or {}).get("variables") or {},
            cpus=int(self.resources.get("cpus") or 1),
            gpus=self._gpus(),
            temporary=make_temporary(self.folder),
        )
        command = [str(python), "-m", orders.trainer["package"], spec["mode"], "--spec", str(self.folder.spec)]
        self.trainer = start_trainer(self.folder, command, environment, log_cap=orders.log_cap_bytes)
        self.folder.write_launcher(self.nonce, self.trainer.process)

    def _gpus(self) -> list[str]:
        return [str(gpu) for gpu in self.resources.get("gpus") or []]

    def _environment(self, trainer_folder: Path) -> Path:
        def progress(fraction: float, message: str) -> None:
            self.say_preparing(round(100 * fraction, 1), 100, "step", f"environment: {message}")

        try:
            return ensure(trainer_folder, self.cache, progress=progress, cancelled=self._cancelled).python
        except Cancelled:
            self._check()
            raise

    def _attend(self) -> Ending:
        """Waits for the trainer's end; passes stops on, enforces grace and memory."""
        trainer = self.trainer
        assert trainer is not None
        telemetry = Telemetry(
            self.say,
            self._on_memory,
            memory_mb=int(self.resources.get("memory_mb") or 0),
            gpus=self._gpus(),
            trainer_pid=trainer.process.pid,
        )
        telemetry.start()
        told = forced = False
        reason: str | None = None
        params: dict[str, Any] = {}
        try:
            while (status := trainer.poll()) is None:
                self._look_at_signals()
                refused = self.shipping.problem if self.shipping else None
                if self.stale.is_set():
                    forced = True
                elif self.memory_over and not forced:
                    used, limit = self.memory_over
                    reason, params, forced = "out_of_memory", {"used_mb": round(used), "limit_mb": round(limit)}, True
                elif refused and not forced:
                    reason, params, forced = "journal_invalid", {"message": refused}, True
                elif self.stop.over and not forced:
                    params, forced = {"grace_over": True}, True
                elif self.stop.reason and not told:
                    told = True
                    trainer.terminate()
                if forced:
                    self._kill_all()
                self._wait(trainer)
        finally:
            telemetry.stop()
        if self.stale.is_set():
            raise Abandoned
        return self._ending_of(status, reason, params, forced=forced)

    def _wait(self, trainer: Trainer) -> None:
        """Until the trainer ends, somebody wakes us, the grace is over, or it is time to look around."""
        seconds = min(LOOK_SECONDS, self.stop.seconds_left) if self.stop.reason else LOOK_SECONDS
        readable, _, _ = select.select([trainer.pidfd, self._woken], [], [], max(0.01, seconds))
        if self._woken in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)

    def _on_memory(self, used_mb: float, limit_mb: float) -> None:
        self.memory_over = (used_mb, limit_mb)
        self.wake()

    def _ending_of(self, status: int, reason: str | None, params: dict[str, Any], *, forced: bool) -> Ending:
        killed = -status if status < 0 else None
        if reason is None and (status == ExitCode.DONE or status in FAILURE_EXITS.values()):
            # Whichever of result and stop came first has won.
            return Ending(exit_code=status)
        if reason is None and self.stop.reason:
            reason = self.stop.reason
        elif reason is None and killed == signal.SIGKILL and not forced and cgroup_kills() > self._kills_before:
            reason = "out_of_memory"
        return Ending(exit_code=None if killed else status, signal=killed, reason=reason, params=params)

    def _kill_all(self) -> None:
        """Ends every process of the attempt; says so when one cannot be ended."""
        stuck = kill_leftovers(self.portal.attempt_id, self.trainer.process if self.trainer else None)
        if self.trainer:
            self.trainer.poll()
        if stuck:
            pids = [entry.pid for entry in stuck]
            message = f"processes that cannot be ended: {', '.join(map(str, pids))}"
            self.say("warning", {"code": "processes_left", "message": message, "params": {"pids": pids}})

    def _finish_log(self) -> None:
        if self.trainer is None:
            return
        self.trainer.log.finish(LOG_SECONDS)
        self.trainer.close()
        dropped = self.trainer.log.dropped
        if dropped:
            cap = self.trainer.log.cap
            message = f"the log was cut at {cap} bytes, {dropped} more were not kept"
            self.say("warning", {"code": "log_cut", "message": message, "params": {"cap": cap, "dropped": dropped}})

    # The end

    def _report(self, ending: dict[str, Any]) -> int:
        """Ships the rest and reports the end until it is accepted; returns the launcher's exit code."""
        shipping = self.shipping
        assert shipping is not None and self.journal is not None
        self.reporting = True
        if self.own_signals:
            self._leave_soon()
        if not shipping.finish_trainer():
            return 0
        # Only now has the launcher itself nothing more to say.
        self.journal.close()
        if not shipping.finish_rest():
            return 0
        while True:
            try:
                self.channel.post("end", {**ending, **shipping.totals()})
            except Refused as error:
                if error.code != "not_yet":
                    print(f"the portal refuses the end: {error}", file=sys.stderr)
                    return 1
                shipping.ship_missing(error.problem.get("missing") or {})
                continue
            self.folder.write_shipped(shipping.cursors())
            self.folder.write_ended()
            return 0
