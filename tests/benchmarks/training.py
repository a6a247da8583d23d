"""A training through the portal against the same trainer started by hand.

Both run the same command with the same spec, inputs, seed, environment and number of threads; pairs alternate which
goes first. Through the portal it takes from the call that starts the job to the moment in which REST says that it
succeeded: placing, launching, inputs, shipping and the last upload included. By hand it takes from the start of the
process to its end, with the inputs already in place. Bar: at most 2 % and 3 s over it, and final metrics that are
the same to the last digit.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from modelyard_trainer.environments import ensure
from modelyard_trainer.launcher.trainer import SDK, THREAD_VARIABLES

from apps.datasets.samples import sample_archive
from tests.benchmarks.figures import Figures, arguments, median
from tests.benchmarks.stand import ROOT, BenchmarkPortal, portal, until

JOB_SECONDS = 900.0
#: About ten seconds of work.
REFERENCE = {"steps": 20_000, "epoch_steps": 2_000, "checkpoint_steps": 2_000}
EPOCHS = 4
#: Measured by the clock, so never the same.
CLOCK = ("seconds", "per_second", "_ms", "speed")


def dataset(beside: BenchmarkPortal) -> str:
    """The demo's pictures, uploaded and published; the dataset's id."""
    found = beside.rest("POST", "/datasets", {"name": "Shapes", "project_id": beside.project_id})["id"]
    upload = beside.rest("POST", f"/datasets/{found}/uploads", {})["id"]
    path = f"/datasets/{found}/uploads/{upload}"
    beside.http.put(
        f"{beside.url}/api/v1{path}/files?path=shapes.zip",
        content=sample_archive(),
        headers={"Authorization": f"Bearer {beside.token}", "Content-Type": "application/octet-stream"},
        timeout=60,
    ).raise_for_status()
    beside.rest("POST", f"{path}/analyze", {})
    until(lambda: beside.rest("GET", path)["state"] == "ready", "the analysis", 120)
    beside.rest("POST", f"{path}/publish", {})
    until(lambda: beside.rest("GET", path)["state"] == "published", "the publication", 120)
    return str(found)


def ultralytics_body(beside: BenchmarkPortal, epochs: int) -> dict[str, Any]:
    schema = beside.rest("GET", "/trainers/ultralytics/config-schema")
    preset = next(found for found in schema["x-presets"] if found["name"] == "quick")
    return {
        "trainer": "ultralytics",
        "task": "detect",
        "model": preset["model"],
        "config": {**preset["values"], "epochs": epochs},
        "dataset_id": dataset(beside),
    }


def through_portal(beside: BenchmarkPortal, body: dict[str, Any]) -> tuple[float, str]:
    """Seconds from `start` to success, and the attempt's id."""
    job = beside.rest("POST", "/training-jobs", {"project_id": beside.project_id, "name": "Pair", "seed": 7, **body})[
        "id"
    ]
    began = time.perf_counter()
    beside.rest("POST", f"/training-jobs/{job}/start")

    def ended() -> str:
        state = beside.rest("GET", f"/training-jobs/{job}")["job"]["state"]
        return state if state in {"succeeded", "stopped", "failed", "errored"} else ""

    state = until(ended, "the training's end", JOB_SECONDS)
    seconds = time.perf_counter() - began
    if state != "succeeded":
        raise RuntimeError(beside.story(job))
    return seconds, beside.attempts(job)[-1][1]


def by_hand(beside: BenchmarkPortal, attempt: str, trainer: str) -> tuple[float, Path]:
    """Seconds of the attempt's own command, run again from its spec; the journal that it wrote."""
    kept = beside.attempt_folder(attempt)
    folder = beside.folder / "by-hand"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("output", "home", "tmp"):
        (folder / name).mkdir(parents=True)
    spec = json.loads((kept / "spec.json").read_text())
    spec |= {"output_dir": str(folder / "output"), "journal": str(folder / "journal.jsonl")}
    (folder / "spec.json").write_text(json.dumps(spec))
    source = ROOT / "trainers" / trainer
    descriptor = beside.rest("GET", f"/trainers/{trainer}")
    python = ensure(source, Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelyard").python
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": f"{SDK}{os.pathsep}{source}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "CUDA_VISIBLE_DEVICES": "",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        **dict.fromkeys(THREAD_VARIABLES, str(spec["resources"]["cpus"])),
    }
    command = [str(python), "-m", f"modelyard_{descriptor['name']}", "train", "--spec", str(folder / "spec.json")]
    began = time.perf_counter()
    with open(folder / "trainer.log", "wb") as log:
        done = subprocess.run(
            command,
            cwd=folder / "output",
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError((folder / "trainer.log").read_text()[-3000:])
    return seconds, folder / "journal.jsonl"


def final_metrics(journal: Path) -> dict[str, float]:
    """The result's metrics and the last value of every series, without those that a clock gave."""
    found: dict[str, float] = {}
    for text in journal.read_text().splitlines():
        line = json.loads(text)
        if line["type"] == "metrics":
            found |= line["data"]["values"]
        elif line["type"] == "result":
            found |= {f"result {name}": value for name, value in line["data"]["metrics"].items()}
    return {name: value for name, value in found.items() if not any(part in name for part in CLOCK)}


def compare(figures: Figures, beside: BenchmarkPortal, body: dict[str, Any], pairs: int) -> None:
    trainer = body["trainer"]
    # Builds the environment, fills caches, and leaves the spec that is run by hand.
    _seconds, attempt = through_portal(beside, body)
    wanted = final_metrics(beside.attempt_folder(attempt) / "journal.jsonl")
    portal_seconds, hand_seconds, differing = [], [], set()
    for number in range(pairs):
        sides = [lambda: through_portal(beside, body), lambda: by_hand(beside, attempt, trainer)]
        answers: list[Any] = [None, None]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            answers[side] = sides[side]()
        (through, own), (alone, journal) = answers
        portal_seconds.append(through)
        hand_seconds.append(alone)
        for found in (final_metrics(beside.attempt_folder(own) / "journal.jsonl"), final_metrics(journal)):
            differing |= {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)}
        figures.row(trainer=trainer, pair=number + 1, portal_s=round(through, 2), by_hand_s=round(alone, 2))
    over = median([one - other for one, other in zip(portal_seconds, hand_seconds, strict=True)])
    allowed = 0.02 * median(hand_seconds) + 3
    figures.row(
        trainer=trainer,
        portal_s=round(median(portal_seconds), 2),
        by_hand_s=round(median(hand_seconds), 2),
        over_s=round(over, 2),
        allowed_s=round(allowed, 2),
        metrics_compared=len(wanted),
        differing=", ".join(sorted(differing)) or "none",
    )
    figures.ratio(f"{trainer}: portal to by hand", median(portal_seconds) / median(hand_seconds))
    figures.bar(f"{trainer}: seconds beyond 2 % + 3 s", max(0.0, over - allowed), high=0)
    figures.bar(f"{trainer}: final metrics that differ", len(differing), high=0)


def main() -> int:
    asked = arguments(__doc__, pairs=5, epochs=EPOCHS)
    figures = Figures("training")
    with portal() as beside:
        compare(figures, beside, {"trainer": "reference", "config": REFERENCE}, asked.pairs)
        compare(figures, beside, ultralytics_body(beside, asked.epochs), asked.pairs)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
