"""What many pictures look like, by child processes whose memory and time are bounded, while the caller goes on.

`python -m apps.datasets.images.look_process` reads the paths of files, each a line of JSON, and answers each with a
line: `=` and the look as hexadecimal digits, or `-` for what cannot be decoded. What the guard stops ends the process.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Self

from apps.datasets.images.decoding import guard_process, look_of

COMMAND = ("-m", "apps.datasets.images.look_process")
MEMORY_BYTES = 2 << 30
#: Of one picture, and of a process.
CPU_SECONDS, LIFE_SECONDS = 10, 7200
NICENESS = 5
LOOK, NOT_DECODED = "=", "-"
PROCESSES = min(2, os.cpu_count() or 1)
#: Pictures that a process is given at once: their paths and their looks both fit into a pipe.
BATCH = 32
#: Batches that wait; who brings more waits too, and so tells truly how far the work is.
AHEAD = 16
#: So few small pictures are looked at here: to start a process takes longer.
INLINE_PIXELS = 2_000_000

Wanted = tuple[str, Path]


class Looks:
    """Takes pictures by `want` and has their looks by `gather`. Used in a `with`, which ends the processes.

    After `seconds` no picture is begun any more; those that were not reached, like those that cannot be decoded, are
    not in `found`.
    """

    def __init__(self, seconds: float) -> None:
        self.found: dict[str, bytes] = {}
        self._until = time.monotonic() + seconds
        self._batch: list[Wanted] = []
        self._pixels = 0
        self._queue: Queue[list[Wanted] | None] = Queue(AHEAD)
        self._threads: list[Thread] = []
        self._children: set[subprocess.Popen[str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until = 0.0
        for child in list(self._children):
            child.kill()
        self._join()

    def want(self, name: str, file: Path, pixels: int) -> None:
        self._batch.append((name, file))
        self._pixels += pixels
        if len(self._batch) == BATCH:
            self._send()

    def gather(self) -> dict[str, bytes]:
        """Name → look, b"" where it tells nothing, of all that was wanted and could be looked at."""
        if not self._threads and self._pixels <= INLINE_PIXELS:
            for name, file in self._batch:
                self._note(name, look_of(file) if self._in_time else None)
        elif self._batch:
            self._send()
        self._join()
        return self.found

    def _send(self) -> None:
        if len(self._threads) < PROCESSES:
            self._threads.append(Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        self._queue.put(self._batch)
        self._batch = []

    def _join(self) -> None:
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _note(self, name: str, look: bytes | None) -> None:
        if look is not None:
            self.found[name] = look

    @property
    def _in_time(self) -> bool:
        return time.monotonic() < self._until

    def _work(self) -> None:
        child: subprocess.Popen[str] | None = None
        while (batch := self._queue.get()) is not None:
            waiting = deque(batch)
            while waiting and self._in_time:
                # Without a process to be had, nothing is looked at; whoever brings more is not to wait for ever.
                with contextlib.suppress(OSError):
                    child = child or self._start()
                    if self._asked(child, waiting):
                        continue
                waiting.popleft()  # of which the child died
                self._end(child)
                child = None
        self._end(child)

    def _asked(self, child: subprocess.Popen[str], waiting: deque[Wanted]) -> bool:
        """Has the child look at what waits, and takes from it what is answered; False when the child has died."""
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.writelines(f"{json.dumps(os.fspath(file))}\n" for _name, file in waiting)
            child.stdin.flush()
        while waiting and self._in_time:
            answer = child.stdout.readline().strip()
            if not answer:
                return False
            name, _file = waiting.popleft()
            self._note(name, None if answer == NOT_DECODED else bytes.fromhex(answer.removeprefix(LOOK)))
        return True

    def _start(self) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, *COMMAND],
            cwd=Path(__file__).resolve().parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._children.add(child)
        return child

    def _end(self, child: subprocess.Popen[str] | None) -> None:
        if child is not None:
            child.kill()
            self._children.discard(child)
            with contextlib.suppress(OSError):
                child.communicate()


def main() -> None:
    guard_process(MEMORY_BYTES, LIFE_SECONDS)
    os.nice(NICENESS)
    for line in sys.stdin:
        most = min(int(time.process_time()) + CPU_SECONDS, LIFE_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (most, LIFE_SECONDS))
        look = look_of(Path(json.loads(line)))
        sys.stdout.write(f"{NOT_DECODED}\n" if look is None else f"{LOOK}{look.hex()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
