"""Descriptor, configuration schema and environments."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from modelyard_trainer.config_schema import ConfigError, complete_config, schema_problems
from modelyard_trainer.descriptor import DescriptorError, read_descriptor
from modelyard_trainer.environments import BuildError, Cancelled, ensure, environment_key, version_allowed

from tests.trainers.launcher_support import SDK, TRAINERS

REFERENCE = TRAINERS / "reference"
SCHEMA = json.loads((REFERENCE / "config.schema.json").read_text())


@pytest.fixture
def trainer(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "trainer.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


# Descriptor


def test_a_trainer_says_what_it_is(trainer: Path) -> None:
    descriptor = read_descriptor(trainer)
    assert (descriptor.name, descriptor.package, descriptor.modes) == (
        "reference",
        "modelyard_reference",
        ("train", "predict"),
    )
    assert descriptor.primary_metric == "val/accuracy"
    assert descriptor.metrics["val/loss"].title["ko"] == "검증 손실"
    assert descriptor.models[0].parameters == 9
    assert descriptor.requirements_path is None
    assert descriptor.needs_dataset is False


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("contract = 1", "contract = 9", "contract 9 is not spoken here"),
        ('name = "reference"', 'name = "Bad Name"', "name 'Bad Name'"),
        ('version = "1.0.0"\n', "", "version is missing"),
        ('package = "modelyard_reference"', 'package = "nowhere"', "nowhere/__main__.py is missing"),
        ('modes = ["train", "predict"]', 'modes = ["train", "dance"]', "mode 'dance'"),
        ('tasks = ["tabular"]\nresumes', "tasks = []\nresumes", "tasks is empty"),
        ("resumes = true", "resumes = 1", "resumes is not a bool"),
        ("resumes = true", "resume = true", "resume is not known"),
        ("needs_dataset = false", 'needs_dataset = "no"', "needs_dataset is not a bool"),
        ("cpus = 1", 'cpus = "1"', "resources.cpus is not a int"),
        ("memory_mb = 256", "memory_mb = 0", "resources.memory_mb is less than 1"),
        ('python = ">=3.11"', 'python = "new"', "no version range"),
        ('python = ">=3.11"', 'requirements = "lock.txt"', "lock.txt is missing"),
        ('python = ">=3.11"', 'requirements = "../lock.txt"', "outside the folder"),
        ('python = ">=3.11"', 'variables = { PYTHONPATH = "/x" }', "PYTHONPATH may not be set"),
        ('python = ">=3.11"', 'variables = { MODELYARD_ATTEMPT_ID = "x" }', "may not be set"),
        ('goal = "min"', 'goal = "small"', "goal must be min or max"),
        ('[metrics."train/loss"]', '[metrics."train:loss"]', "no name for a metric"),
        ('goal = "min"', 'goal = "min"\nprimary = true', "more than one primary"),
        ('title = { en = "Training loss", ko = "학습 손실" }', "", "title must be a text"),
        ("contract = 1", "contract = ", "trainer.toml cannot be read"),
    ],
)
def test_a_descriptor_that_breaks_the_contract_is_refused(trainer: Path, old: str, new: str, problem: str) -> None:
    read_descriptor(trainer)
    change(trainer, old, new)
    with pytest.raises(DescriptorError) as caught:
        read_descriptor(trainer)
    assert any(problem in text for text in caught.value.problems), caught.value.problems


def test_every_problem_is_named_at_once(trainer: Path) -> None:
    change(trainer, 'name = "reference"', 'name = "Bad Name"')
    change(trainer, "cpus = 1", "cpus = 0")
    (trainer / "config.schema.json").write_text('{"type": "object", "properties": {}}')
    with pytest.raises(DescriptorError) as caught:
        read_descriptor(trainer)
    assert len(caught.value.problems) == 3


# Configuration schema


def with_property(**rule: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {"a": {"title": "A", **rule}}}


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 3}, [1, 3], [0, 4, 1.5, True, "1", None]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1, "x", False]),
        ({"type": "number", "multipleOf": 0.25}, [0.75, 2], [0.3]),
        ({"type": "integer", "multipleOf": 32}, [64], [65]),
        ({"type": "string", "enum": ["a", "b"]}, ["a"], ["c", 1]),
        ({"type": "string", "pattern": "^x", "maxLength": 3}, ["xy"], ["y", "xxxx"]),
        ({"type": "boolean"}, [True], [1, "true"]),
        ({"type": ["integer", "null"], "minimum": 0}, [None, 2], [-1, "a"]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1}, [[1]], [[], ["a"], 1]),
        ({"type": "object"}, [{}], [[], None]),
    ],
)
def test_values_are_judged_as_any_json_schema_validator_does(
    rule: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    schema = with_property(**rule)
    assert list(schema_problems(schema)) == []
    for value in good + bad:
        assert Draft202012Validator(schema).is_valid({"a": value}) == (
            value in good and type(value) in map(type, good)
        )
    for value in good:
        assert complete_config(schema, {"a": value}) == {"a": value}
    for value in bad:
        with pytest.raises(ConfigError):
            complete_config(schema, {"a": value})


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not of type number"):
        complete_config(with_property(type="number"), {"a": float("nan")})


def test_defaults_fill_what_was_not_chosen_and_the_tasks_own_come_first() -> None:
    schema = with_property(type="integer", default=1)
    schema["properties"]["b"] = {"title": "B", "type": "integer"}
    schema["required"] = ["b"]
    schema["x-task-defaults"] = {"detect": {"a": 2}}
    assert list(schema_problems(schema)) == []
    assert complete_config(schema, {"b": 0}) == {"a": 1, "b": 0}
    assert complete_config(schema, {"b": 0}, "detect") == {"a": 2, "b": 0}
    assert complete_config(schema, {"a": 5, "b": 0}, "detect") == {"a": 5, "b": 0}
    with pytest.raises(ConfigError) as caught:
        complete_config(schema, {"c": 1, "a": "x"})
    assert set(caught.value.problems) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "not an object"),
        ({**with_property(type="integer"), "additionalProperties": True}, "additionalProperties"),
        ({**with_property(type="integer"), "allOf": []}, "allOf is not a keyword"),
        ({**with_property(type="integer"), "required": ["b"]}, "required names b"),
        ({**with_property(type="integer"), "x-presets": [{"name": "p", "values": {"b": 1}}]}, "no such setting"),
        ({**with_property(type="integer"), "x-task-defaults": {"detect": {"a": "x"}}}, "task detect"),
        (with_property(type="integer", default="x"), "default is refused"),
        (with_property(type="real"), "type must be one of"),
        (with_property(type="integer", minimum="1"), "minimum is not a number"),
        (with_property(type="string", pattern="(", default="x"), "cannot be applied"),
        (with_property(type="integer", **{"x-group": "expert"}), "x-group"),
        (with_property(type="integer", oneOf=[]), "oneOf is not a keyword"),
    ],
)
def test_a_schema_that_could_not_be_kept_is_refused(schema: Any, problem: str) -> None:
    assert any(problem in text for text in schema_problems(schema))


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in TRAINERS.glob("*/trainer.toml")), ids=lambda p: p.name
)
def test_every_trainer_here_has_a_valid_schema(folder: Path) -> None:
    schema = json.loads((folder / "config.schema.json").read_text())
    assert list(schema_problems(schema)) == []
    Draft202012Validator.check_schema(schema)


# Environments


def make_wheel(folder: Path, name: str = "tiny_package", version: str = "1.0") -> str:
    """A wheel with one module, and its line for a lock file with hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    information = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": "ANSWER = 42\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{member},sha256={digest},{len(text.encode())}\n"
        wheel.writestr(f"{information}/RECORD", record + f"{information}/RECORD,,\n")
    return f"tiny-package=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def locked(trainer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference trainer with a lock file of one package that lies in a folder."""
    (trainer / "requirements.txt").write_text(make_wheel(tmp_path / "wheels"))
    change(trainer, 'python = ">=3.11"', 'python = ">=3.11"\nrequirements = "requirements.txt"')
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return trainer


def test_no_requirements_means_the_interpreter_that_runs(trainer: Path, tmp_path: Path) -> None:
    environment = ensure(trainer, tmp_path / "cache")
    assert (environment.python, environment.folder, environment.built) == (Path(sys.executable), None, False)
    assert not (tmp_path / "cache").exists()


def test_an_environment_is_built_once_from_the_lock_and_says_how_it_goes(locked: Path, tmp_path: Path) -> None:
    said: list[tuple[float, str]] = []
    first = ensure(locked, tmp_path / "cache", progress=lambda fraction, message: said.append((fraction, message)))
    answer = subprocess.check_output([first.python, "-c", "import tiny_package; print(tiny_package.ANSWER)"])
    assert (answer.strip(), first.built) == (b"42", True)
    assert [fraction for fraction, _ in said] == sorted(fraction for fraction, _ in said)
    assert "1 packages" in said[0][1]
    assert said[-1] == (1.0, "the environment is ready")
    second = ensure(locked, tmp_path / "cache")
    assert (second.python, second.built) == (first.python, False)


def test_a_lock_that_does_not_match_the_package_builds_nothing(locked: Path, tmp_path: Path) -> None:
    lock = locked / "requirements.txt"
    good = lock.read_text()
    lock.write_text(good.split("sha256:", maxsplit=1)[0] + "sha256:" + "0" * 64 + "\n")
    with pytest.raises(BuildError) as caught:
        ensure(locked, tmp_path / "cache")
    assert "hash" in caught.value.output.lower()
    assert list((tmp_path / "cache" / "trainers").glob("*/.complete")) == []
    lock.write_text(good)
    assert ensure(locked, tmp_path / "cache").built


def test_the_rest_of_a_broken_build_is_wiped(locked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "trainers" / environment_key((locked / "requirements.txt").read_bytes())
    folder.mkdir(parents=True)
    (folder / "rubbish").write_text("half")
    assert ensure(locked, tmp_path / "cache").built
    assert not (folder / "rubbish").exists()


def test_two_callers_build_once(locked: Path, tmp_path: Path) -> None:
    built: list[bool] = []
    threads = [
        threading.Thread(target=lambda: built.append(ensure(locked, tmp_path / "cache").built)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(built) == [False, True]


def test_a_build_can_be_given_up(locked: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        ensure(locked, tmp_path / "cache", cancelled=lambda: True)
    assert ensure(locked, tmp_path / "cache").built


def test_the_command_prints_the_python_it_made(locked: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelyard_trainer.environments", str(locked), "--cache", str(tmp_path / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(SDK)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert Path(done.stdout.splitlines()[-1]).is_file()
    (locked / "requirements.txt").unlink()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "requirements.txt cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("wanted", "version", "allowed"),
    [
        (">=3.11", "3.11.7", True),
        (">=3.11,<3.13", "3.13.0", False),
        (">=3.12", "3.11.9", False),
        ("==3.11", "3.11.7", True),
        ("~=3.11", "3.14.1", True),
        ("~=3.11", "4.0.0", False),
        ("<=3.11", "3.11.7", True),
        (">3.11", "3.11.7", False),
        (">3.11", "3.12.0", True),
    ],
)
def test_a_range_of_versions_is_understood(wanted: str, version: str, *, allowed: bool) -> None:
    assert version_allowed(wanted, version) is allowed


def test_a_trainer_for_another_python_is_refused_before_anything_is_built(trainer: Path, tmp_path: Path) -> None:
    change(trainer, 'python = ">=3.11"', 'python = ">=9.0"')
    with pytest.raises(BuildError, match=r"needs Python >=9\.0"):
        ensure(trainer, tmp_path)
