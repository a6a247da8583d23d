"""The append-only journal: one JSON object a line, numbered from 1 without gaps, synced to disk per batch."""

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 0.1
FLUSH_LINES = 500


class JournalError(Exception):
    """The journal cannot be written; the attempt has no voice any more and must end."""


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: NaN and infinities as strings, scalars and arrays of numeric libraries as numbers.

    Raises TypeError for what has no such form.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def plain_number(value: Any) -> int | float | str:
    """A number for the journal; what is not finite becomes `"NaN"`, `"Infinity"` or `"-Infinity"`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


class Journal:
    """Writes one journal. Threads may share it; a forked child may not.

    Events are gathered for at most `FLUSH_SECONDS`, so that a trainer with a thousand steps a second does not wait for
    the disk a thousand times. A journal belongs to one attempt: one that already has lines is refused, unless
    `go_on` says that its writer died and this is the successor; half a last line is then cut off.
    """

    def __init__(self, path: str | os.PathLike[str], *, go_on: bool = False):
        self.path = Path(path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._seq = 0
        self._size = 0
        if os.fstat(self._file).st_size:
            if not go_on:
                os.close(self._file)
                raise JournalError(f"{self.path} already has lines: an attempt has one trainer")
            with open(self.path, "rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        self._seq += 1
                        self._size += len(line)
            os.ftruncate(self._file, self._size)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lines: list[bytes] = []
        self._error: OSError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._flush_regularly, name="journal", daemon=True)
        self._thread.start()

    @property
    def seq(self) -> int:
        """The number of the last event that was appended; 0 when there is none."""
        return self._seq

    def append(self, type_: str, data: dict[str, Any], *, now: bool = False) -> int:
        """Appends an event and returns its `seq`; with `now` it is on disk when the call returns.

        Raises JournalError when the disk refused an earlier batch, after `close`, and in a forked child.
        """
        text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Names of files may hold bytes that are no text; a line with half a surrogate could not be sent.
        text = text.encode("utf-8", "replace").decode()
        if os.getpid() != self._pid:
            raise JournalError("events are reported by the trainer's main process, not by its children")
        with self._lock:
            if self._error:
                raise JournalError(f"{self.path} cannot be written: {self._error}")
            if self._closed:
                raise JournalError("the journal is closed: nothing may follow the result")
            self._seq += 1
            head = f'{{"seq":{self._seq},"time":{time.time():.3f},"type":{json.dumps(type_)},"data":'
            self._lines.append(f"{head}{text}}}\n".encode())
            if now or len(self._lines) >= FLUSH_LINES:
                self._write()
            elif len(self._lines) == 1:
                self._changed.notify()
            return self._seq

    def flush(self) -> None:
        """Brings everything that was appended to the disk."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Flushes and ends the journal; calling it again changes nothing."""
        with self._lock:
            if self._closed:
                return
            self._write()
            self._closed = True
            self._changed.notify()
        self._thread.join()
        os.close(self._file)

    def _write(self) -> None:
        if not self._lines:
            return
        batch = memoryview(b"".join(self._lines))
        written = 0
        try:
            while written < len(batch):
                written += os.write(self._file, batch[written:])
            os.fsync(self._file)
        except OSError as error:
            self._error = error
            # Half a line would hide every later one from the reader.
            os.ftruncate(self._file, self._size)
            raise JournalError(f"{self.path} cannot be written: {error}") from error
        self._size += len(batch)
        self._lines.clear()

    def _flush_regularly(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closed)
                if self._closed or self._error:
                    return
                # One event may be followed by many: wait once, then write them together.
                self._changed.wait_for(lambda: self._closed, timeout=FLUSH_SECONDS)
                if self._closed:
                    return  # type: ignore[unreachable]  # Another thread closes while this one waits.
                try:
                    self._write()
                except JournalError:
                    return
