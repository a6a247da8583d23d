"""What a trainer may say, as methods: each checks its arguments and appends one event to the journal."""

import os
import platform
import re
from collections.abc import Mapping
from typing import Any

from modelyard_trainer.journal import Journal, plain_number

METRIC_NAME = re.compile(r"[A-Za-z0-9_\-./() ]{1,120}")
STAGES = ("preparing", "training", "evaluating", "exporting", "predicting")
UNITS = ("epoch", "step", "image", "seconds")
SCOPES = ("batch", "epoch", "system")
LEVELS = ("debug", "info", "warning", "error")
MAIN_STAGES = {"train": "training", "evaluate": "evaluating", "predict": "predicting", "export": "exporting"}


def checked_values(values: Mapping[str, Any]) -> dict[str, int | float | str]:
    """Names and numbers of a set of metrics, ready for the journal. Raises ValueError for a bad name."""
    for name in values:
        if not isinstance(name, str) or not METRIC_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a metric: up to 120 of A-Z a-z 0-9 _ - . / ( ) and space")
    return {name: plain_number(value) for name, value in values.items()}


def one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise ValueError(f"{what} {value!r} is not one of {', '.join(allowed)}")
    return value


class Reporter:
    """Writes a trainer's events. Threads may share it. Raises ValueError for what the contract does not allow."""

    def __init__(self, journal: Journal, *, mode: str = "train", trainer: str = ""):
        self._journal = journal
        self._main_stage = MAIN_STAGES[mode]
        self._trainer = trainer
        self._version = ""
        self._fraction = 0.0

    def name_trainer(self, name: str, version: str) -> None:
        """Which trainer speaks, as `started` will say."""
        self._trainer, self._version = name, version

    def started(self, *, device: str, libraries: Mapping[str, str] | None = None) -> None:
        """The trainer runs: on which device (`cpu`, `cuda:0 NVIDIA …`), with which library versions."""
        data = {
            "trainer": self._trainer,
            "version": self._version,
            "pid": os.getpid(),
            "device": device,
            "python": platform.python_version(),
            "libraries": dict(libraries or {}),
        }
        self._journal.append("started", data, now=True)

    def progress(
        self,
        stage: str,
        current: float,
        total: float | None,
        *,
        unit: str,
        fraction: float | None = None,
        message: str | None = None,
    ) -> None:
        """How far the work is. `fraction` is of the whole job, 0 to 1, and never goes back.

        Left out it is `current / total` in the stage that the mode is named for, and unchanged in every other stage.
        """
        one_of(stage, STAGES, "stage")
        one_of(unit, UNITS, "unit")
        if fraction is None and stage == self._main_stage and total:
            fraction = current / total
        self._fraction = max(self._fraction, min(1.0, fraction or 0.0))
        data: dict[str, Any] = {"stage": stage, "current": current, "total": total, "unit": unit}
        data["fraction"] = round(self._fraction, 6)
        if message is not None:
            data["message"] = message
        self._journal.append("progress", data)

    def metrics(self, *, step: int, epoch: float | None, scope: str, values: Mapping[str, Any]) -> None:
        """Numbers of one step; `scope` says whether they stand for a batch or an epoch. An empty set says nothing."""
        one_of(scope, SCOPES, "scope")
        if isinstance(step, bool) or int(step) != step or step < 0:
            raise ValueError(f"step {step!r} is not a whole number of at least 0")
        if values:
            data = {"scope": scope, "step": int(step), "epoch": epoch, "values": checked_values(values)}
            self._journal.append("metrics", data)

    def log(self, message: str, *, level: str = "info") -> None:
        """A line that matters; ordinary output goes to stdout and is kept as the log."""
        self._journal.append("log", {"level": one_of(level, LEVELS, "level"), "message": message})

    def warning(self, code: str, message: str, params: Mapping[str, Any] | None = None) -> None:
        """Something that the person should know although the work goes on."""
        self._journal.append("warning", {"code": code, "message": message, "params": dict(params or {})}, now=True)

    def artifact(self, data: Mapping[str, Any]) -> None:
        """A file; written by `Context.artifact`, which knows its digest."""
        self._journal.append("artifact", dict(data), now=True)

    def checkpoint(self, data: Mapping[str, Any]) -> None:
        """A checkpoint; written by `Context.checkpoint` once the file is complete."""
        self._journal.append("checkpoint", dict(data), now=True)

    def result(self, status: str, *, metrics: Mapping[str, Any], summary: Any) -> None:
        """The last event of a trainer that ended as intended; closes the journal."""
        one_of(status, ("succeeded", "stopped"), "status")
        self._journal.append("result", {"status": status, "metrics": checked_values(metrics), "summary": summary})
        self._journal.close()

    def failure(
        self, code: str, message: str, *, hint: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        """The last event before a non-zero exit; closes the journal."""
        data: dict[str, Any] = {"code": code, "message": message, "params": dict(params or {})}
        if hint is not None:
            data["hint"] = hint
        self._journal.append("failure", data)
        self._journal.close()
