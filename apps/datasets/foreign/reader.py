"""The child process that reads: started with nothing of the portal's in it, and not trusted in what it answers."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.datasets.foreign.catalogue import FORMATS
from apps.datasets.foreign.environment import FOLDER

#: Of the environment of this process, what the child gets too.
KEPT_VARIABLES = ("LD_LIBRARY_PATH",)
REPORT_BYTES = 64 << 20
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one child. `file_bytes` is for each file that it writes, which are two a set."""

    memory_bytes: int = 4 << 30
    seconds: int = 1800
    file_bytes: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """A set to read: its folder, the new folder for what is found, the task that its labels are wanted for, and
    datumaro's name of the format, "" to be told."""

    source: Path
    target: Path
    task: str
    plugin: str = ""

    @property
    def document(self) -> Path:
        return self.target / "annotations.json"

    @property
    def report(self) -> Path:
        return self.target / "report.json"


@dataclass(slots=True)
class Report:
    """What the child says it found. `failure` is why there is nothing, as a code without prefix and its parameters."""

    plugin: str = ""
    images: list[str] = field(default_factory=list)
    is_inside: bool = False
    losses: list[tuple[str, int, str]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    problem_count: int = 0
    failure: tuple[str, str | None, dict[str, Any]] | None = None


def read(python: Path, jobs: Sequence[Job], limits: Limits | None = None) -> list[Report]:
    """Read the sets, one after the other, in one child; never raises for what the sets or the child do."""
    limits = limits or Limits()
    for job in jobs:
        job.target.mkdir(mode=0o700, parents=True)
        job.document.touch(mode=0o600)
        job.report.touch(mode=0o600)
    ended = _run(python, jobs, limits)
    return [_report(job, ended) for job in jobs]


def _run(python: Path, jobs: Sequence[Job], limits: Limits) -> str:
    """Why the child ended early, as the code of a failure; "" when it did not."""
    asked = {
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.seconds,
            "file_bytes": limits.file_bytes,
            "parent": os.getpid(),
        },
        "formats": {
            found.plugin: {"unnamed": found.unnamed, "knows_empty": found.knows_empty} for found in FORMATS.values()
        },
        "jobs": [
            {
                "source": str(job.source.resolve()),
                "document": str(job.document.resolve()),
                "report": str(job.report.resolve()),
                "task": job.task,
                "format": job.plugin,
            }
            for job in jobs
        ],
    }
    with subprocess.Popen(
        [str(python), "-s", "-m", "modelyard_datumaro"],
        cwd="/",
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            child.communicate(json.dumps(asked).encode(), timeout=limits.seconds)
        except subprocess.TimeoutExpired:
            return "too_slow"
        finally:
            child.kill()
    if child.returncode == -signal.SIGXCPU:
        return "too_slow"
    return "crashed" if child.returncode else ""


def _environment() -> dict[str, str]:
    """The whole environment of the child."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    return (
        kept
        | threads
        | {
            "PYTHONPATH": str(FOLDER),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
    )


def _report(job: Job, ended: str) -> Report:
    try:
        if job.report.stat().st_size > REPORT_BYTES:
            raise ValueError("too long")
        found = json.loads(job.report.read_bytes())
        return _checked(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # An answer that is none, or half of one: the child ended while it read this set, or does not keep to its part.
        return Report(plugin=job.plugin, failure=(ended or "crashed", None, {}))


def _checked(found: dict[str, Any]) -> Report:
    """The report, every part of it of the kind it should be. Raises for anything else."""
    report = Report(plugin=_text(found["format"]))
    if "error" in found:
        error = found["error"]
        params = {name: _text(error[name]) for name in ("detail", "formats") if name in error}
        report.failure = (_text(error["code"]), _text(error.get("path") or "") or None, params)
        return report
    report.images = [_whole(path) for path in found["images"]]
    report.is_inside = found["is_inside"] is True
    report.losses = [(_text(one["code"]), int(one["count"]), _text(one["path"])) for one in found["losses"]]
    report.problems = [(_text(one["item"]) or _text(one["path"]), _text(one["detail"])) for one in found["problems"]]
    report.problem_count = int(found["problem_count"])
    return report


def _whole(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _text(value: Any) -> str:
    return _whole(value)[:LONGEST]
