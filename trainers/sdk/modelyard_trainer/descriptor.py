"""Reads and checks what a trainer says of itself: `trainer.toml` and `config.schema.json` in its folder."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_trainer.config_schema import schema_problems
from modelyard_trainer.reporter import METRIC_NAME
from modelyard_trainer.spec import CONTRACT, MODES

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
MODULE = re.compile(r"[a-z_][a-z0-9_]*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Set by the launcher for every trainer; a descriptor that overrode one would break the contract's promises.
RESERVED_VARIABLES = {"PYTHONPATH", "HOME", "TMPDIR", "PATH", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"}


class DescriptorError(ValueError):
    """A trainer's folder does not say properly what it is; `problems` holds one sentence for each place."""

    def __init__(self, folder: Path, problems: list[str]):
        super().__init__(f"{folder.name}: {'; '.join(problems)}")
        self.problems = problems


@dataclass(frozen=True)
class ModelChoice:
    """A model that the trainer can train; `tasks` empty means every task of the trainer."""

    name: str
    title: str
    tasks: tuple[str, ...]
    parameters: int | None = None


@dataclass(frozen=True)
class MetricStyle:
    """How a chart shows one series. `title` maps language codes to texts."""

    name: str
    title: dict[str, str]
    group: str | None = None
    split: str | None = None
    goal: str | None = None
    primary: bool = False


@dataclass(frozen=True)
class Descriptor:
    """One trainer. `requirements` is relative to `folder`, None when the standard library is enough.

    `needs_dataset` false means that it trains without one.
    """

    folder: Path
    name: str
    title: str
    version: str
    package: str
    license: str
    description: dict[str, str]
    modes: tuple[str, ...]
    tasks: tuple[str, ...]
    resumes: bool
    needs_dataset: bool
    python: str
    requirements: str | None
    variables: dict[str, str]
    cpus: int
    memory_mb: int
    gpus: int
    models: tuple[ModelChoice, ...]
    metrics: dict[str, MetricStyle]
    config_schema: dict[str, Any]
    contract: int = CONTRACT

    @property
    def requirements_path(self) -> Path | None:
        """The hashed lock file, None when the trainer needs none."""
        return self.folder / self.requirements if self.requirements else None

    @property
    def primary_metric(self) -> str | None:
        """The name of the one number that stands for a job, None when none was chosen."""
        return next((name for name, style in self.metrics.items() if style.primary), None)


class _Reader:
    """Takes typed values out of the parsed file and gathers what is wrong instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def get(self, data: Mapping[str, Any], key: str, kind: type, default: Any = None, *, where: str = "") -> Any:
        value = data.get(key, default)
        if value is default and default is not None:
            return value
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problems.append(f"{where}{key} is {'missing' if value is None else f'not a {kind.__name__}'}")
            return default if default is not None else kind()
        return value

    def texts(self, data: Mapping[str, Any], key: str, where: str = "") -> dict[str, str]:
        """A text in several languages; a plain one counts as English."""
        value = data.get(key)
        if isinstance(value, str):
            return {"en": value}
        if isinstance(value, dict) and "en" in value and all(isinstance(text, str) for text in value.values()):
            return dict(value)
        self.problems.append(f"{where}{key} must be a text, or a table of texts with at least en")
        return {"en": ""}

    def names(self, data: Mapping[str, Any], key: str, where: str = "", *, needed: bool = True) -> tuple[str, ...]:
        value = self.get(data, key, list, [], where=where)
        if not all(isinstance(name, str) for name in value) or len(set(map(str, value))) != len(value):
            self.problems.append(f"{where}{key} must be a list of different texts")
            return ()
        if needed and not value:
            self.problems.append(f"{where}{key} is empty")
        return tuple(value)

    def unknown(self, data: Mapping[str, Any], known: set[str], where: str = "") -> None:
        self.problems += [f"{where}{key} is not known" for key in data if key not in known]


ROOT_KEYS = {"contract", "name", "title", "version", "package", "license", "description", "modes", "tasks", "resumes"}
ROOT_KEYS |= {"needs_dataset", "environment", "resources", "models", "metrics"}


def read_descriptor(folder: str | os.PathLike[str]) -> Descriptor:
    """What the trainer in `folder` says of itself; raises DescriptorError with every problem found."""
    path = Path(folder).resolve()
    reader = _Reader()
    data = _load(path, "trainer.toml", lambda raw: tomllib.loads(raw.decode()))
    schema = _load(path, "config.schema.json", json.loads)
    reader.unknown(data, ROOT_KEYS)
    if reader.get(data, "contract", int) != CONTRACT:
        raise DescriptorError(path, [f"contract {data.get('contract')} is not spoken here, only {CONTRACT}"])
    environment = reader.get(data, "environment", dict, {})
    reader.unknown(environment, {"python", "requirements", "variables"}, "environment.")
    resources = reader.get(data, "resources", dict, {})
    reader.unknown(resources, {"cpus", "memory_mb", "gpus"}, "resources.")
    tasks = reader.names(data, "tasks")
    descriptor = Descriptor(
        folder=path,
        name=reader.get(data, "name", str),
        title=reader.get(data, "title", str),
        version=reader.get(data, "version", str),
        package=reader.get(data, "package", str),
        license=reader.get(data, "license", str),
        description=reader.texts(data, "description"),
        modes=reader.names(data, "modes"),
        tasks=tasks,
        resumes=reader.get(data, "resumes", bool, False),
        needs_dataset=reader.get(data, "needs_dataset", bool, True),
        python=reader.get(environment, "python", str, ">=3.11", where="environment."),
        requirements=reader.get(environment, "requirements", str, "", where="environment.") or None,
        variables=_variables(reader, environment),
        cpus=reader.get(resources, "cpus", int, 1, where="resources."),
        memory_mb=reader.get(resources, "memory_mb", int, 1024, where="resources."),
        gpus=reader.get(resources, "gpus", int, 0, where="resources."),
        models=_models(reader, data, tasks),
        metrics=_metrics(reader, data),
        config_schema=schema,
    )
    _check(reader, descriptor)
    if reader.problems:
        raise DescriptorError(path, reader.problems)
    return descriptor


def _load(folder: Path, name: str, parse: Any) -> dict[str, Any]:
    try:
        value = parse((folder / name).read_bytes())
    except OSError as error:
        raise DescriptorError(folder, [f"{name} cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise DescriptorError(folder, [f"{name} cannot be read: {error}"]) from error
    if not isinstance(value, dict):
        raise DescriptorError(folder, [f"{name} is not an object"])
    return value


def _variables(reader: _Reader, environment: Mapping[str, Any]) -> dict[str, str]:
    variables = reader.get(environment, "variables", dict, {}, where="environment.")
    for name, value in variables.items():
        if not isinstance(value, str):
            reader.problems.append(f"environment.variables.{name} is not a text")
        if not VARIABLE.fullmatch(name) or name in RESERVED_VARIABLES or name.startswith("MODELYARD_"):
            reader.problems.append(f"environment.variables.{name} may not be set by a trainer")
    return dict(variables)


def _models(reader: _Reader, data: Mapping[str, Any], tasks: tuple[str, ...]) -> tuple[ModelChoice, ...]:
    models = []
    for index, entry in enumerate(reader.get(data, "models", list, [])):
        where = f"models[{index}]."
        if not isinstance(entry, dict):
            reader.problems.append(f"models[{index}] is not a table")
            continue
        reader.unknown(entry, {"name", "title", "tasks", "parameters"}, where)
        name = reader.get(entry, "name", str, where=where)
        own_tasks = reader.names(entry, "tasks", where, needed=False)
        reader.problems += [f"{where}tasks names {task}, not a task here" for task in own_tasks if task not in tasks]
        parameters = reader.get(entry, "parameters", int, 0, where=where) or None
        models.append(ModelChoice(name, reader.get(entry, "title", str, name, where=where), own_tasks, parameters))
    names = [model.name for model in models]
    reader.problems += [f"models names {name} twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return tuple(models)


def _metrics(reader: _Reader, data: Mapping[str, Any]) -> dict[str, MetricStyle]:
    metrics = {}
    for name, entry in reader.get(data, "metrics", dict, {}).items():
        where = f'metrics."{name}".'
        if not isinstance(entry, dict):
            reader.problems.append(f"{where[:-1]} is not a table")
            continue
        reader.unknown(entry, {"title", "group", "split", "goal", "primary"}, where)
        if not METRIC_NAME.fullmatch(name):
            reader.problems.append(f"{where[:-1]} is no name for a metric")
        goal = entry.get("goal")
        if goal not in (None, "min", "max"):
            reader.problems.append(f"{where}goal must be min or max")
        metrics[name] = MetricStyle(
            name=name,
            title=reader.texts(entry, "title", where),
            group=entry.get("group"),
            split=entry.get("split"),
            goal=goal,
            primary=reader.get(entry, "primary", bool, False, where=where),
        )
    if sum(style.primary for style in metrics.values()) > 1:
        reader.problems.append("metrics has more than one primary")
    return metrics


def _check(reader: _Reader, descriptor: Descriptor) -> None:
    folder, problems = descriptor.folder, reader.problems
    if not NAME.fullmatch(descriptor.name):
        problems.append(f"name {descriptor.name!r} must be lower-case letters, digits, - and _")
    if not MODULE.fullmatch(descriptor.package):
        problems.append(f"package {descriptor.package!r} is no name of a Python package")
    elif not (folder / descriptor.package / "__main__.py").is_file():
        problems.append(f"{descriptor.package}/__main__.py is missing")
    problems += [f"mode {mode!r} is not one of {', '.join(MODES)}" for mode in descriptor.modes if mode not in MODES]
    for key, least in (("cpus", 1), ("memory_mb", 1), ("gpus", 0)):
        if getattr(descriptor, key) < least:
            problems.append(f"resources.{key} is less than {least}")
    if not re.fullmatch(r"(==|>=|<=|<|>|~=)\d+(\.\d+)*(,(==|>=|<=|<|>|~=)\d+(\.\d+)*)*", descriptor.python):
        problems.append(f"environment.python {descriptor.python!r} is no version range such as >=3.11,<3.14")
    lock = descriptor.requirements_path
    if lock is not None:
        if not lock.resolve().is_relative_to(folder):
            problems.append("environment.requirements lies outside the folder")
        elif not lock.is_file():
            problems.append(f"{descriptor.requirements} is missing")
    problems += [f"config.schema.json: {problem}" for problem in schema_problems(descriptor.config_schema)]
