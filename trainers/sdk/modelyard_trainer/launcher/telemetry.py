"""Watches an attempt's processes: processor and memory from /proc, GPUs from nvidia-smi where there is one."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from modelyard_trainer.launcher.processes import descendants, processes, reap, resident_mb

SAMPLE_SECONDS = 1.0
REPORT_SECONDS = 5.0
GPU_QUERY = ["--query-gpu=index,uuid,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
# A limit is a promise about the trainer's own use; a margin keeps short peaks from ending days of work.
MEMORY_MARGIN = 1.5


class Telemetry:
    """Samples in a thread of its own; says `metrics` of scope `system` and calls `on_memory` over the limit.

    `memory_mb` is what was granted, 0 for no limit; the limit lies `MEMORY_MARGIN` times higher.
    """

    def __init__(
        self,
        say: Callable[[str, dict[str, Any]], None],
        on_memory: Callable[[float, float], None],
        *,
        memory_mb: int,
        gpus: list[str],
        trainer_pid: int,
    ):
        self.say = say
        self.on_memory = on_memory
        self.limit_mb = memory_mb * MEMORY_MARGIN if memory_mb > 0 else None
        self.gpus = set(gpus)
        self.trainer_pid = trainer_pid
        self._smi = shutil.which("nvidia-smi") if gpus else None
        self._over = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        ticks: dict[tuple[int, int], int] = {}
        since = reported = time.monotonic()
        number = used = 0
        while not self._stop.wait(SAMPLE_SECONDS):
            table = processes()
            reap(entry for entry in table.values() if self._is_orphan(entry.parent, entry.pid, entry.state))
            tree = descendants(os.getpid(), table)
            memory = resident_mb(tree, self.limit_mb)
            if self.limit_mb and memory > self.limit_mb and not self._over:
                self._over = True
                self.on_memory(memory, self.limit_mb)
            # Ticks of processes that have ended since the last look are lost: an estimate, never too high.
            new = {(entry.pid, entry.started): entry.cpu_ticks for entry in tree}
            used += sum(count - ticks.get(key, 0) for key, count in new.items())
            ticks = new
            now = time.monotonic()
            if number and now - reported < REPORT_SECONDS:
                continue
            share = 100.0 * used / os.sysconf("SC_CLK_TCK") / (now - since)
            values: dict[str, float] = {"system/cpu_percent": round(share, 1), "system/memory_mb": round(memory, 1)}
            values |= self._gpu_values()
            self.say("metrics", {"scope": "system", "step": number, "epoch": None, "values": values})
            number += 1
            used = 0
            since = reported = now

    def _is_orphan(self, parent: int, pid: int, state: str) -> bool:
        return state == "Z" and parent == os.getpid() and pid != self.trainer_pid

    def _gpu_values(self) -> dict[str, float]:
        if not self._smi:
            return {}
        try:
            done = subprocess.run([self._smi, *GPU_QUERY], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"nvidia-smi: {error}", file=sys.stderr)
            self._smi = None
            return {}
        return gpu_values(done.stdout, self.gpus)


def gpu_values(text: str, granted: set[str]) -> dict[str, float]:
    """Use and memory in MiB of the granted GPUs (by index or uuid) from nvidia-smi's lines; unknown ones left out."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 4 or not granted & {fields[0], fields[1]}:
            continue
        for name, field in (("percent", fields[2]), ("memory_mb", fields[3])):
            try:
                values[f"system/gpu{fields[0]}_{name}"] = float(field)
            except ValueError:
                continue
    return values


def cgroup_kills() -> int:
    """How many processes of this control group the kernel has ended for want of memory; 0 where nobody counts."""
    try:
        with open("/proc/self/cgroup", encoding="ascii") as file:
            path = next(line.strip()[3:] for line in file if line.startswith("0::"))
        with open(f"/sys/fs/cgroup{path}/memory.events", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError):
        return 0
