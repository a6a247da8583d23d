"""The spec: what one attempt shall do, read from a JSON file and checked by hand.

`spec.schema.json` beside this module says the same for other languages; a test keeps the two together.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTRACT = 1
MODES = ("train", "evaluate", "predict", "export")


class SpecError(ValueError):
    """The spec is not one of this contract; the message names the place."""


@dataclass(frozen=True)
class InputFile:
    """A file given to the trainer: its name for people, where it lies, its digest."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint to go on from (`resume_from`, with step and epoch) or to begin with (`start_from`)."""

    path: Path
    sha256: str
    step: int | None = None
    epoch: float | None = None


@dataclass(frozen=True)
class Resources:
    """What the attempt was granted: processor cores, GPU ids, memory in MiB."""

    cpus: int = 1
    gpus: tuple[str, ...] = ()
    memory_mb: int = 0


@dataclass(frozen=True)
class Spec:
    """One attempt's orders. Paths are absolute."""

    mode: str
    job_id: str
    attempt_id: str
    attempt_no: int
    trainer: str
    task: str
    model: str | None
    config: dict[str, Any]
    seed: int
    dataset: Path | None
    resources: Resources
    resume_from: CheckpointFile | None
    start_from: CheckpointFile | None
    inputs: tuple[InputFile, ...]
    output_dir: Path
    journal: Path
    contract: int = CONTRACT
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


_MISSING = object()
_TYPE_NAMES = {str: "a text", int: "a whole number", dict: "an object", list: "a list"}


def _get(data: Mapping[str, Any], key: str, kind: type, where: str = "", default: Any = _MISSING) -> Any:
    value = data.get(key, default)
    if value is _MISSING:
        raise SpecError(f"{where}{key} is missing")
    if value is default:
        return value
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SpecError(f"{where}{key} is not {_TYPE_NAMES[kind]}")
    return value


def _path(data: Mapping[str, Any], key: str, where: str = "") -> Path:
    path = Path(_get(data, key, str, where))
    if not path.is_absolute():
        raise SpecError(f"{where}{key} is not an absolute path")
    return path


def _checkpoint(data: Mapping[str, Any], key: str) -> CheckpointFile | None:
    entry = _get(data, key, dict, default=None)
    if entry is None:
        return None
    where = f"{key}."
    epoch = entry.get("epoch")
    if epoch is not None and (isinstance(epoch, bool) or not isinstance(epoch, (int, float))):
        raise SpecError(f"{where}epoch is not a number")
    return CheckpointFile(
        path=_path(entry, "path", where),
        sha256=_get(entry, "sha256", str, where),
        step=_get(entry, "step", int, where, default=None),
        epoch=epoch,
    )


def _resources(data: Mapping[str, Any]) -> Resources:
    entry = _get(data, "resources", dict, default={})
    return Resources(
        cpus=_get(entry, "cpus", int, "resources.", default=1),
        gpus=tuple(str(gpu) for gpu in _get(entry, "gpus", list, "resources.", default=[])),
        memory_mb=_get(entry, "memory_mb", int, "resources.", default=0),
    )


def _inputs(data: Mapping[str, Any]) -> tuple[InputFile, ...]:
    files = []
    for index, entry in enumerate(_get(data, "inputs", list, default=[])):
        where = f"inputs[{index}]."
        if not isinstance(entry, dict):
            raise SpecError(f"inputs[{index}] is not an object")
        files.append(
            InputFile(_get(entry, "name", str, where), _path(entry, "path", where), _get(entry, "sha256", str, where))
        )
    return tuple(files)


def parse_spec(data: Any) -> Spec:
    """The spec in `data`. Keys that this version does not know are left alone; raises SpecError."""
    if not isinstance(data, dict):
        raise SpecError("the spec is not an object")
    if _get(data, "contract", int) != CONTRACT:
        raise SpecError(f"contract {data['contract']} is not spoken here, only {CONTRACT}")
    mode = _get(data, "mode", str)
    if mode not in MODES:
        raise SpecError(f"mode {mode!r} is not one of {', '.join(MODES)}")
    dataset = _get(data, "dataset", dict, default=None)
    return Spec(
        mode=mode,
        job_id=_get(data, "job_id", str),
        attempt_id=_get(data, "attempt_id", str),
        attempt_no=_get(data, "attempt_no", int),
        trainer=_get(data, "trainer", str),
        task=_get(data, "task", str),
        model=_get(data, "model", str, default=None),
        config=_get(data, "config", dict),
        seed=_get(data, "seed", int, default=0),
        dataset=None if dataset is None else _path(dataset, "manifest", "dataset."),
        resources=_resources(data),
        resume_from=_checkpoint(data, "resume_from"),
        start_from=_checkpoint(data, "start_from"),
        inputs=_inputs(data),
        output_dir=_path(data, "output_dir"),
        journal=_path(data, "journal"),
        raw=data,
    )


def read_spec(path: str | os.PathLike[str]) -> Spec:
    """The spec in the file at `path`; raises SpecError for an unreadable file too."""
    try:
        data = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from error
    return parse_spec(data)
