"""The reference trainer keeps the contract, really learns, and the contract tests notice when it does not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.contract_tests import Suite
from modelyard_trainer.contract_tests.journal_rules import batch_steps, of_type
from modelyard_trainer.files import sha256_of

from tests.trainers.launcher_support import SDK, TRAINERS

REFERENCE = TRAINERS / "reference"
# Long enough to be interrupted in the middle.
CONFIG = {"steps": 40, "step_seconds": 0.02}


def run(work: Path, mode: str = "train", config: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Runs the trainer to its end; returns its run."""
    work.mkdir(exist_ok=True)
    suite = Suite(REFERENCE, work, config=config)
    assert next(suite.checks()).passed
    started = suite.start(mode, **changes)
    started.wait(30)
    return started


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "modelyard_trainer.contract_tests",
        str(REFERENCE),
        "--config",
        json.dumps(CONFIG),
    ]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(SDK)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == 14
    assert "FAIL" not in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "check"),
    [
        ("training.py", "state = self.context.load_resume(json.loads)", "state = None", "after SIGTERM"),
        ("training.py", "state = self.context.load_resume(json.loads)", "state = None", "after SIGKILL"),
        ("training.py", "if context.stopping:", "if False:", "exit code 10"),
        ("training.py", "training.finish()", "import os; os._exit(0)", "result comes exactly once"),
        ("__main__.py", "run(train=train, predict=predict)", "run(train=train, export=train)", "mode export"),
        ("__main__.py", "run(", "import sys; sys.argv[1] == 'evaluate' and sys.exit(0); run(", "mode evaluate"),
    ],
)
def test_the_contract_tests_notice_a_trainer_that_breaks_it(
    tmp_path: Path, file: str, old: str, new: str, check: str
) -> None:
    folder = tmp_path / "reference"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    source = folder / "modelyard_reference" / file
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    suite = Suite(folder, tmp_path / "work", config={"steps": 25, "step_seconds": 0.02}, timeout=20, grace=5)
    failed = []
    for result in suite.checks():
        if not result.passed:
            failed.append(result.name)
            if check in result.name:
                break
    assert any(check in name for name in failed), failed


def test_it_learns(tmp_path: Path) -> None:
    events = run(tmp_path, config={"steps": 200}).events()
    losses = [data["values"]["train/loss"] for data in of_type(events, "metrics") if data["scope"] == "batch"]
    assert len(losses) == 200
    assert sum(losses[-20:]) < 0.4 * sum(losses[:20])
    assert of_type(events, "result")[0]["metrics"]["val/accuracy"] > 0.9


def test_an_interrupted_training_ends_with_the_very_numbers_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", config={"steps": 50})
    half = run(tmp_path / "half", config={"steps": 50, "fail_at": 36, "fail_code": "crash"})
    assert half.process.returncode == 1
    checkpoint = half.newest_resume()
    assert checkpoint["step"] == 30
    resume = {key: checkpoint[key] for key in ("path", "sha256", "step", "epoch")}
    rest = run(tmp_path / "rest", config={"steps": 50}, resume_from=resume)
    assert batch_steps(rest.events()) == list(range(31, 51))
    assert of_type(rest.events(), "result")[0]["metrics"] == of_type(whole.events(), "result")[0]["metrics"]


@pytest.mark.parametrize(
    ("config", "code", "failure"),
    [
        ({"fail_at": 3, "fail_code": "bad_data"}, 3, "bad_data"),
        ({"fail_at": 3, "fail_code": "out_of_memory"}, 4, "out_of_memory"),
        ({"fail_at": 3, "fail_code": "crash"}, 1, "trainer_crashed"),
        ({"nan_at": 5}, 6, "diverged"),
        ({"steps": 0}, 2, "bad_config"),
    ],
)
def test_it_fails_as_it_is_told(tmp_path: Path, config: dict[str, Any], code: int, failure: str) -> None:
    ended = run(tmp_path, config=config)
    assert ended.process.returncode == code
    assert ended.events()[-1]["data"]["code"] == failure
    if "nan_at" in config:
        assert of_type(ended.events(), "metrics")[-1]["values"]["train/loss"] == "NaN"


def test_an_exit_without_a_word_is_left_to_whoever_watches(tmp_path: Path) -> None:
    ended = run(tmp_path, config={"fail_at": 3, "fail_code": "exit"})
    assert ended.process.returncode == 0
    assert of_type(ended.events(), "result") == []


def test_it_classifies_files_with_a_checkpoint(tmp_path: Path) -> None:
    trained = run(tmp_path / "train", config={"steps": 100})
    last = next(data for data in of_type(trained.events(), "checkpoint") if data["kind"] == "last")
    inputs = []
    for name, data in {"empty": b"", "letter": b"\xff" * 200}.items():
        (tmp_path / name).write_bytes(data)
        inputs.append({"name": name, "path": str(tmp_path / name), "sha256": sha256_of(tmp_path / name)})
    start = {"path": last["path"], "sha256": last["sha256"]}
    ended = run(tmp_path / "predict", "predict", start_from=start, inputs=inputs)
    assert ended.process.returncode == 0, ended.tail()
    artifact = of_type(ended.events(), "artifact")[0]
    lines = [json.loads(line) for line in Path(artifact["path"]).read_text().splitlines()]
    assert [line["name"] for line in lines] == ["empty", "letter"]
    # (-2, -2) lies in the west cloud, (0, 2) in the north one.
    assert [line["class"] for line in lines] == ["west", "north"]
    assert all(abs(sum(line["probabilities"].values()) - 1) < 1e-5 for line in lines)


def test_it_does_not_predict_without_a_checkpoint(tmp_path: Path) -> None:
    ended = run(tmp_path, "predict")
    assert (ended.process.returncode, ended.events()[-1]["data"]["code"]) == (2, "bad_config")
