"""Ships journals and the log: in order, from where the portal says it is, reading only what is sent next."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard_trainer.launcher.portal import Changed, Channel, Refused

BATCH_EVENTS = 1000
BATCH_BYTES = 4 << 20
LOG_CHUNK = 256 << 10
Say = Callable[[str, dict[str, Any]], None]


class JournalTail:
    """Reads a growing journal line by line. `seq` is the number of the last line that was read."""

    def __init__(self, path: Path):
        self.path = path
        self.seq = 0
        self._offset = 0
        self.broken: str | None = None

    def seek(self, seq: int) -> None:
        """Goes on after line `seq`; lines that are not there yet are not skipped."""
        self.seq = self._offset = 0
        while self.seq < seq:
            batch = self.read(seq - self.seq)
            if not batch:
                return

    def read(self, limit: int = BATCH_EVENTS) -> list[dict[str, Any]]:
        """At most `limit` further events. A last line without a newline is not yet written.

        A line that is no event with the next number makes the journal `broken`, and nothing is read beyond it.
        """
        events: list[dict[str, Any]] = []
        if self.broken:
            return events
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return events
        with file:
            file.seek(self._offset)
            size = 0
            while len(events) < limit and size < BATCH_BYTES:
                line = file.readline(BATCH_BYTES)
                if not line.endswith(b"\n"):
                    if len(line) == BATCH_BYTES:
                        self.broken = f"line {self.seq + 1} is longer than {BATCH_BYTES} bytes"
                    break
                event = self._event(line)
                if event is None:
                    self.broken = f"line {self.seq + 1} is no event with that number"
                    break
                events.append(event)
                self.seq += 1
                self._offset += len(line)
                size += len(line)
        return events

    def _event(self, line: bytes) -> dict[str, Any] | None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return None
        whole = isinstance(event, dict) and isinstance(event.get("data"), dict) and isinstance(event.get("type"), str)
        return event if whole and event.get("seq") == self.seq + 1 else None


class EventStream:
    """Ships one journal of the attempt (`trainer` or `launcher`)."""

    def __init__(self, name: str, path: Path, channel: Channel, *, acked: int = 0):
        self.name = name
        self.channel = channel
        self.tail = JournalTail(path)
        self.acked = acked
        self.tail.seek(acked)
        self.refused: str | None = None

    @property
    def problem(self) -> str | None:
        """Why nothing more can be shipped, None while all is well."""
        return self.refused or self.tail.broken

    @property
    def last_seq(self) -> int:
        """The number of the last event that can be shipped at all, once everything was."""
        return self.acked

    def go_to(self, acked: int) -> None:
        """Goes on after `acked`, as the portal said."""
        self.acked = acked
        self.tail.seek(acked)

    def ship_some(self) -> bool:
        """Ships one batch; False when there was nothing to ship."""
        if self.refused:
            return False
        events = self.tail.read()
        if not events:
            return False
        try:
            self.prepare(events)
            answer = self.channel.post("events", {"stream": self.name, "events": events})
        except (TypeError, ValueError, RecursionError) as error:
            # The same lines would fail the same way for ever: the trainer cannot be heard any more.
            self.refused = f"what follows line {self.acked} cannot be sent: {type(error).__name__}: {error}"
            print(f"events of stream {self.name}: {self.refused}", file=sys.stderr)
            return True
        except Refused as error:
            if error.code == "gap":
                self.go_to(int(error.problem.get("acked", 0)))
            else:
                print(f"events of stream {self.name} refused: {error}", file=sys.stderr)
                self.refused = str(error)
            return True
        acked = int(answer["acked"])
        if acked != events[-1]["seq"]:
            self.go_to(acked)
        self.acked = acked
        return True

    def prepare(self, events: list[dict[str, Any]]) -> None:
        """What must happen before these events may be shipped; may add to their data."""


class TrainerStream(EventStream):
    """The trainer's journal: a file is uploaded before the event that names it is shipped."""

    def __init__(self, path: Path, channel: Channel, output: Path, say: Say, *, acked: int = 0):
        self.output = output.resolve()
        self.say = say
        super().__init__("trainer", path, channel, acked=acked)

    def prepare(self, events: list[dict[str, Any]]) -> None:
        newest = {_word(event["data"], "kind"): event["seq"] for event in events if event["type"] == "checkpoint"}
        for event in events:
            data = event["data"]
            if event["type"] == "artifact":
                self._upload(data, "artifact", "missing")
            elif event["type"] == "checkpoint":
                if newest[_word(data, "kind")] == event["seq"]:
                    self._upload(data, "checkpoint", "superseded")
                else:
                    data["superseded"] = True

    def _upload(self, data: dict[str, Any], kind: str, when_gone: str) -> None:
        """Uploads the file that an event names, or marks the event's data with why there is none."""
        name, path = _word(data, "name"), _word(data, "path")
        if not name:
            self._missing(data, "it has no name")
            return
        try:
            descriptor = self._open(path)
        except FileNotFoundError:
            data[when_gone] = True
            return
        except (OSError, ValueError, RuntimeError) as error:  # no name for a file; links that lead in a circle
            self._missing(data, f"{path!a} cannot be read: {error}")
            return
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            query = {"name": name, "sha256": _word(data, "sha256"), "size": str(size), "kind": kind}
            try:
                self.channel.put_file(file, size, query)
            except (Refused, Changed, ValueError) as error:
                self._missing(data, str(error))

    def _open(self, path: str) -> int:
        """Opens a regular file below the output folder, also for a trainer that is not to be trusted."""
        resolved = Path(path).resolve(strict=True)
        if not resolved.is_relative_to(self.output):
            raise PermissionError("it lies outside the output folder")
        descriptor = os.open(resolved, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise PermissionError("it is no regular file")
        return descriptor

    def _missing(self, data: dict[str, Any], detail: str) -> None:
        data["missing"] = True
        name = _word(data, "name")
        message = f"{name} could not be kept: {detail}"
        self.say("warning", {"code": "file_not_kept", "message": message, "params": {"name": name}})


def _word(data: dict[str, Any], key: str) -> str:
    """A text of an event; "" for what is none: a trainer may write anything."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


class LogStream:
    """Ships the trainer's log in chunks, from where the portal says it is."""

    def __init__(self, path: Path, channel: Channel, *, offset: int = 0):
        self.path = path
        self.channel = channel
        self.offset = offset

    def ship_some(self) -> bool:
        """Ships one chunk; False when there was nothing to ship."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                chunk = file.read(LOG_CHUNK)
        except FileNotFoundError:
            return False
        if not chunk:
            return False
        try:
            answer = self.channel.post_raw(f"logs?offset={self.offset}", chunk, "application/octet-stream")
        except Refused as error:
            # The portal keeps no more of this log; the file on the node stays whole.
            print(f"log refused: {error}", file=sys.stderr)
            self.offset += len(chunk)
            return True
        self.offset = int(answer["offset"])
        return True
