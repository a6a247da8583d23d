"""What a trainer's journal must look like, line by line and as a whole."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelyard_trainer.checkpoints import KINDS, marker_of
from modelyard_trainer.context import ARTIFACT_KINDS
from modelyard_trainer.files import sha256_of
from modelyard_trainer.reporter import LEVELS, METRIC_NAME, SCOPES, STAGES, UNITS

NON_FINITE = ("NaN", "Infinity", "-Infinity")
FIELDS = {
    "started": ("trainer", "version", "pid", "device", "python", "libraries"),
    "progress": ("stage", "current", "total", "unit", "fraction"),
    "metrics": ("scope", "step", "epoch", "values"),
    "log": ("level", "message"),
    "artifact": ("name", "kind", "path", "media_type", "sha256", "size"),
    "checkpoint": ("kind", "name", "path", "sha256", "size", "step", "epoch", "metrics"),
    "warning": ("code", "message", "params"),
    "result": ("status", "metrics", "summary"),
    "failure": ("code", "message", "params"),
}
CHOICES = {
    ("progress", "stage"): STAGES,
    ("progress", "unit"): UNITS,
    ("metrics", "scope"): SCOPES,
    ("log", "level"): LEVELS,
    ("artifact", "kind"): ARTIFACT_KINDS,
    ("checkpoint", "kind"): KINDS,
    ("result", "status"): ("succeeded", "stopped"),
}


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; raises ValueError for one that is no JSON. No file is an empty journal."""
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


def of_type(events: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["type"] == type_]


def batch_steps(events: list[dict[str, Any]]) -> list[int]:
    """The steps that metrics were reported for; of whole epochs when the trainer reports no batches."""
    metrics = of_type(events, "metrics")
    steps = [data["step"] for data in metrics if data["scope"] == "batch"]
    return steps or [data["step"] for data in metrics if data["scope"] == "epoch"]


def form_problems(events: list[dict[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with the form of single events and their numbering."""
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict) or set(event) != {"seq", "time", "type", "data"}:
            yield f"line {number} is not an object of seq, time, type and data"
            continue
        if event["seq"] != number:
            yield f"line {number} has seq {event['seq']}"
        fields = FIELDS.get(event["type"])
        if fields is None:
            yield f"line {number}: the type {event['type']!r} is unknown"
            continue
        data = event["data"]
        yield from (f"line {number}: {event['type']} lacks {field}" for field in fields if field not in data)
        for field in fields:
            choices = CHOICES.get((event["type"], field))
            if choices and data.get(field) not in choices:
                yield f"line {number}: {field} {data.get(field)!r} is not one of {', '.join(choices)}"
        if event["type"] == "metrics":
            yield from (f"line {number}: {problem}" for problem in _metrics_problems(data))


def _metrics_problems(data: dict[str, Any]) -> Iterator[str]:
    step = data.get("step")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        yield f"step {step!r} is not a whole number of at least 0"
    for name, value in data.get("values", {}).items():
        if not METRIC_NAME.fullmatch(name):
            yield f"{name!r} is no name for a metric"
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number and value not in NON_FINITE:
            yield f"{name} is {value!r}, no number"


def progress_problems(events: list[dict[str, Any]]) -> Iterator[str]:
    """The fraction must lie in 0…1 and never fall."""
    before = 0.0
    reports = of_type(events, "progress")
    if not reports:
        yield "no progress was ever reported"
    for data in reports:
        fraction = data.get("fraction")
        if not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
            yield f"the fraction {fraction!r} is not in 0…1"
        elif fraction < before:
            yield f"the fraction fell from {before} to {fraction}"
        else:
            before = fraction


def ending_problems(events: list[dict[str, Any]], status: str) -> Iterator[str]:
    """`started` comes first of all, `result` exactly once and last."""
    types = [event["type"] for event in events]
    if types.count("started") != 1:
        yield f"started was reported {types.count('started')} times"
    if types.count("result") != 1:
        yield f"result was reported {types.count('result')} times"
    elif types[-1] != "result":
        yield f"after result came {types[-1]}"
    elif events[-1]["data"]["status"] != status:
        yield f"the result says {events[-1]['data']['status']}, not {status}"


def file_problems(events: list[dict[str, Any]], output: Path) -> Iterator[str]:
    """The newest checkpoint of each kind and every artifact lie whole below the output folder."""
    newest = {data["kind"]: data for data in of_type(events, "checkpoint")}
    for data in newest.values():
        path = Path(data["path"])
        yield from _file_problems(data, output)
        marker = marker_of(path)
        if not marker.is_file():
            yield f"{path.name} has no marker"
        elif marker.read_text(encoding="ascii").strip() != data["sha256"]:
            yield f"the marker of {path.name} holds another digest"
    names = [data["name"] for data in of_type(events, "artifact")]
    yield from (f"two artifacts are called {name}" for name in sorted({n for n in names if names.count(n) > 1}))
    for data in of_type(events, "artifact"):
        yield from _file_problems(data, output)


def _file_problems(data: dict[str, Any], output: Path) -> Iterator[str]:
    path = Path(data["path"])
    if not path.is_file():
        yield f"{path} does not exist"
    elif not path.resolve().is_relative_to(output.resolve()):
        yield f"{path} lies outside the output folder"
    elif path.stat().st_size != data["size"] or sha256_of(path) != data["sha256"]:
        yield f"{path.name} does not have the size and digest that were reported"
