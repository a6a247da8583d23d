"""Finds and kills the processes of an attempt, by descent and by the attempt's id in their environment."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

ATTEMPT_VARIABLE = "MODELYARD_ATTEMPT_ID"
KILL_SECONDS = 30.0
_DEAD = "ZX"


@dataclass(frozen=True)
class Process:
    """A line of /proc: `started` is in clock ticks since boot and tells a process from a later one of its number."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    cpu_ticks: int
    started: int


def process(pid: int) -> Process | None:
    """The process of that number, None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything, also spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return Process(
        pid=pid,
        state=fields[0],
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        started=int(fields[19]),
    )


def processes() -> dict[int, Process]:
    """Every process that can be seen, by number."""
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {entry.pid: entry for entry in found if entry is not None}


def descendants(pid: int, table: dict[int, Process]) -> list[Process]:
    """The living children of `pid` and theirs."""
    children: dict[int, list[Process]] = {}
    for entry in table.values():
        children.setdefault(entry.parent, []).append(entry)
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child.pid)
            if child.state not in _DEAD:
                found.append(child)
    return found


def ancestors(pid: int, table: dict[int, Process]) -> set[int]:
    """`pid` and the processes above it."""
    above = set()
    while pid in table and pid not in above:
        above.add(pid)
        pid = table[pid].parent
    return above


def carries(pid: int, attempt_id: str) -> bool:
    """Whether a process was started with the attempt's id in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = b"\0" + file.read() + b"\0"
    except OSError:
        return False
    return f"\0{ATTEMPT_VARIABLE}={attempt_id}\0".encode() in environment


def leftovers(attempt_id: str, trainer: Process | None = None) -> list[Process]:
    """The living processes of an attempt other than this launcher.

    They are this process's descendants (as child subreaper it inherits orphans), whoever carries the attempt's id, and
    whoever is in the session that `trainer` led.
    """
    table = processes()
    spared = ancestors(os.getpid(), table)
    own = {entry.pid for entry in descendants(os.getpid(), table)}
    return [
        entry
        for entry in table.values()
        if entry.pid not in spared
        and entry.state not in _DEAD
        and (
            entry.pid in own
            or (trainer is not None and entry.session == trainer.pid and entry.started >= trainer.started)
            or carries(entry.pid, attempt_id)
        )
    ]


def send(target: Process, number: signal.Signals) -> None:
    """Sends a signal to that very process, never to a later one of its number; a dead one is passed over."""
    try:
        descriptor = os.pidfd_open(target.pid)
    except OSError:
        return
    try:
        now = process(target.pid)
        if now is not None and now.started == target.started:
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(descriptor)


def kill_leftovers(attempt_id: str, trainer: Process | None = None) -> list[Process]:
    """Kills every process of an attempt, again and again until none is left; returns those that would not die.

    Orphans that this process inherited are reaped, except `trainer` itself, whose exit status its starter wants.
    """
    deadline = time.monotonic() + KILL_SECONDS
    while found := leftovers(attempt_id, trainer):
        for entry in found:
            send(entry, signal.SIGKILL)
        reap(found, trainer)
        if time.monotonic() > deadline:
            return found
        time.sleep(0.01)
    return []


def reap(entries: Iterable[Process], trainer: Process | None = None) -> None:
    """Collects the exit status of dead children that nobody else waits for."""
    for entry in entries:
        if trainer is None or entry.pid != trainer.pid:
            try:
                os.waitpid(entry.pid, os.WNOHANG)
            except ChildProcessError:
                pass


def resident_mb(entries: Iterable[Process], limit_mb: float | None = None) -> float:
    """Memory of some processes in MiB: private pages of each and the largest shared part once.

    Pages that forked workers still share with their parent are counted for each of them; when that would exceed
    `limit_mb`, the kernel's exact proportional count decides.
    """
    page_mb = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    entries = list(entries)
    private = shared = 0
    for entry in entries:
        try:
            with open(f"/proc/{entry.pid}/statm", "rb") as file:
                fields = file.read().split()
        except OSError:
            continue
        if len(fields) > 2:
            private += int(fields[1]) - int(fields[2])
            shared = max(shared, int(fields[2]))
    estimate = (private + shared) * page_mb
    if limit_mb is None or estimate <= limit_mb:
        return estimate
    return min(estimate, sum(_proportional_mb(entry.pid) for entry in entries) or estimate)


def _proportional_mb(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
