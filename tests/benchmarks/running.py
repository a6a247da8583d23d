"""The portal itself: how soon it is ready, how much memory it holds, how soon a job's trainer speaks.

- `up` on a home that is there already, until `/readyz` answers (bar 10 s; 15 s is the promise).
- Memory of the portal's own processes when nothing happens: proportional set size, which counts a page that forked
  processes share once, and resident size, which counts it for each (bar 700 MB, of the proportional size).
- From the call that starts a job to the trainer's first line, less what the same trainer takes for its first line when
  it is started by hand (bar 2 s, p95).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from modelyard_trainer.launcher.trainer import SDK

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import ROOT, BenchmarkPortal, portal, until

OWN = ("supervisor", "web", "worker", "node", "beat")
#: Nothing asks for work after a start: imports are done and caches are filled.
IDLE_SECONDS = 20.0


def memory(pid: int) -> tuple[float, float]:
    """Proportional and resident size of a process in MB."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:] if ":" in line
    )
    return tuple(int(fields[name].split()[0]) * 1024 / 1e6 for name in ("Pss", "Rss"))  # type: ignore[return-value]


def measure_memory(figures: Figures, beside: BenchmarkPortal) -> None:
    began = time.monotonic()
    until(lambda: time.monotonic() - began > IDLE_SECONDS, "a quiet while", IDLE_SECONDS + 5)
    pids = beside.pids()
    whole, resident = 0.0, 0.0
    for name in OWN:
        pss, rss = memory(pids[name])
        whole, resident = whole + pss, resident + rss
        figures.row(process=name, pss_mb=round(pss), rss_mb=round(rss))
    figures.row(process="all own", pss_mb=round(whole), rss_mb=round(resident))
    figures.bar("MB held when idle, own processes, proportional", whole, high=700)


def measure_starts(figures: Figures, beside: BenchmarkPortal, starts: int) -> None:
    """Starts of `up` after the first one."""
    found = []
    for _number in range(starts):
        beside.interrupt()
        began = time.perf_counter()
        beside.start()
        until(beside.is_ready, "/readyz")
        found.append(time.perf_counter() - began)
        beside.wait_until_well()
    figures.row(starts=starts, ready_median_s=round(median(found), 1), ready_worst_s=round(max(found), 1))
    figures.bar("seconds to /readyz at a second start, median", median(found), high=10)
    figures.bar("seconds to /readyz at a second start, worst", max(found), high=15)


def first_line(journal: Path) -> float:
    """Unix time of the trainer's first line."""
    with open(journal, encoding="utf-8") as file:
        return float(json.loads(file.readline())["time"])


def alone(beside: BenchmarkPortal, attempt: str) -> float:
    """Seconds from the start of a bare trainer process to its first line."""
    folder = beside.folder / "by-hand"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "output").mkdir(parents=True)
    spec = json.loads((beside.attempt_folder(attempt) / "spec.json").read_text())
    spec |= {"output_dir": str(folder / "output"), "journal": str(folder / "journal.jsonl")}
    (folder / "spec.json").write_text(json.dumps(spec))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{SDK}{os.pathsep}{ROOT / 'trainers' / 'reference'}"}
    command = [sys.executable, "-m", "modelyard_reference", "train", "--spec", str(folder / "spec.json")]
    began = time.time()
    subprocess.run(command, cwd=folder / "output", env=environment, capture_output=True, check=True)
    return first_line(folder / "journal.jsonl") - began


def measure_first_lines(figures: Figures, beside: BenchmarkPortal, jobs: int) -> None:
    whole, bare = [], []
    body = {"project_id": beside.project_id, "name": "First line", "trainer": "reference", "config": {"steps": 20}}
    for number in range(jobs + 1):
        job = beside.rest("POST", "/training-jobs", body)["id"]
        began = time.time()
        beside.rest("POST", f"/training-jobs/{job}/start")
        if beside.wait_for_end(job) != "succeeded":
            raise RuntimeError(beside.story(job))
        attempt = beside.attempts(job)[-1][1]
        if number:  # the first one warms everything up
            whole.append(first_line(beside.attempt_folder(attempt) / "journal.jsonl") - began)
            bare.append(alone(beside, attempt))
    own = [one - median(bare) for one in whole]
    figures.row(
        jobs=jobs,
        first_line_p50_s=round(median(whole), 2),
        bare_trainer_p50_s=round(median(bare), 2),
        portal_part_p50_s=round(median(own), 2),
        portal_part_p95_s=round(percentile(own, 0.95), 2),
    )
    figures.bar("seconds of the portal before the first line, p95", percentile(own, 0.95), high=2)


def main() -> int:
    asked = arguments(__doc__, jobs=15, starts=3)
    figures = Figures("running")
    with portal() as beside:
        measure_first_lines(figures, beside, asked.jobs)
        measure_starts(figures, beside, asked.starts)
        measure_memory(figures, beside)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
