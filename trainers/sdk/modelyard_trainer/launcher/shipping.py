"""The threads that ship: one for the trainer's events and files, one for everything that must not wait for those."""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.portal import Abandoned, Channel, Portal, Refused, Stale
from modelyard_trainer.launcher.streams import EventStream, LogStream, Say, TrainerStream

SHIPPED_SECONDS = 5.0
ERROR_SECONDS = 1.0
MISSING_SECONDS = 0.5


def ship_round(streams: Sequence[EventStream | LogStream]) -> bool:
    """Lets every stream ship one batch; False when none had anything."""
    shipped = [stream.ship_some() for stream in streams]
    return any(shipped)


class Worker:
    """Ships some streams until it is told to finish and nothing is left; beats when it had nothing to say."""

    def __init__(
        self,
        name: str,
        streams: Sequence[EventStream | LogStream],
        *,
        idle_seconds: float,
        on_idle: Callable[[], None],
        on_stale: Callable[[str], None],
    ):
        self.streams = streams
        self.idle_seconds = idle_seconds
        self.on_idle = on_idle
        self.on_stale = on_stale
        self._finishing = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"ship-{name}", daemon=True)

    def finish(self) -> None:
        """Nothing more will be written: ship what is there and end."""
        self._finishing.set()

    def _run(self) -> None:
        while True:
            # Looked at first: what was written before the order to finish is then surely seen.
            finishing = self._finishing.is_set()
            try:
                busy = ship_round(self.streams)
                if not busy:
                    if finishing:
                        return
                    self.on_idle()
                    self._finishing.wait(self.idle_seconds)
            except Stale as error:
                self.on_stale(str(error))
                return
            except Abandoned:
                return
            except Exception:  # noqa: BLE001 (a fault in one round must not end the shipping)
                traceback.print_exc()
                time.sleep(ERROR_SECONDS)


class Shipping:
    """Everything that goes to the portal of its own accord. `problem` says why the trainer cannot be heard."""

    def __init__(
        self,
        portal: Portal,
        folder: AttemptFolder,
        say: Say,
        on_stale: Callable[[str], None],
        *,
        cursors: dict[str, int],
        ship_seconds: float,
        heartbeat_seconds: float,
    ):
        self.portal = portal
        self.folder = folder
        self.heartbeat_seconds = heartbeat_seconds
        trainer_channel, self._channel = portal.channel(), portal.channel()
        acked = int(cursors.get("trainer") or 0)
        self.trainer = TrainerStream(folder.journal, trainer_channel, folder.output, say, acked=acked)
        acked = int(cursors.get("launcher") or 0)
        self.launcher = EventStream("launcher", folder.launcher_journal, self._channel, acked=acked)
        self.log = LogStream(folder.log, self._channel, offset=int(cursors.get("log") or 0))
        self._written: dict[str, int] = {}
        self._written_at = 0.0
        # The trainer's stream may wait long for an upload; the lease is the other thread's business.
        self._trainer_worker = Worker(
            "trainer", [self.trainer], idle_seconds=ship_seconds, on_idle=lambda: None, on_stale=on_stale
        )
        self._rest_worker = Worker(
            "rest", [self.launcher, self.log], idle_seconds=ship_seconds, on_idle=self._idle, on_stale=on_stale
        )

    @property
    def problem(self) -> str | None:
        return self.trainer.problem

    def start(self) -> None:
        self._trainer_worker.thread.start()
        self._rest_worker.thread.start()

    def finish_trainer(self) -> bool:
        """Ships the rest of the trainer's events and files; False when the launcher must leave first."""
        return self._finish(self._trainer_worker)

    def finish_rest(self) -> bool:
        """Ships the rest of the launcher's events and of the log; False when the launcher must leave first."""
        return self._finish(self._rest_worker)

    def ship_missing(self, missing: dict[str, int]) -> None:
        """Ships again from the cursors that the portal named. Raises as the calls do."""
        if "trainer" in missing:
            self.trainer.go_to(int(missing["trainer"]))
        if "launcher" in missing:
            self.launcher.go_to(int(missing["launcher"]))
        if "log" in missing:
            self.log.offset = int(missing["log"])
        streams = (self.trainer, self.launcher, self.log)
        if not ship_round(streams):
            self.portal.leaving.wait(MISSING_SECONDS)
        while ship_round(streams):
            pass

    def cursors(self) -> dict[str, int]:
        """What the portal has acknowledged."""
        return {"trainer": self.trainer.acked, "launcher": self.launcher.acked, "log": self.log.offset}

    def totals(self) -> dict[str, object]:
        """What was written altogether, as `end` says it."""
        last = {"trainer": self.trainer.acked, "launcher": self.launcher.acked}
        return {"last_seq": last, "log_bytes": self.log.offset}

    def _finish(self, worker: Worker) -> bool:
        worker.finish()
        while worker.thread.is_alive():
            worker.thread.join(0.1)
            if self.portal.must_leave():
                return False
        return not self.portal.must_leave()

    def _idle(self) -> None:
        now = time.monotonic()
        if now - self.portal.last_answer >= self.heartbeat_seconds:
            self._beat(self._channel)
        if now - self._written_at >= SHIPPED_SECONDS and self._written != self.cursors():
            self._written, self._written_at = self.cursors(), now
            self.folder.write_shipped(self._written)

    def _beat(self, channel: Channel) -> None:
        try:
            channel.post("heartbeat", {})
        except Refused as error:
            print(f"heartbeat refused: {error}", file=sys.stderr)
