"""Spec, dataset, checkpoints, artifacts and the frame around a trainer."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import modelyard_trainer
import pytest
from jsonschema import Draft202012Validator
from modelyard_trainer import Context, Dataset, Failure, SpecError
from modelyard_trainer.checkpoints import marker_of
from modelyard_trainer.files import sha256_of
from modelyard_trainer.journal import Journal
from modelyard_trainer.reporter import Reporter
from modelyard_trainer.spec import parse_spec

SDK = Path(modelyard_trainer.__file__).parent
SCHEMA = json.loads((SDK / "spec.schema.json").read_text())


def spec_data(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "contract": 1,
        "mode": "train",
        "job_id": "job",
        "attempt_id": "attempt",
        "attempt_no": 1,
        "trainer": "own",
        "task": "detect",
        "model": None,
        "config": {},
        "seed": 3,
        "dataset": None,
        "resources": {"cpus": 2, "gpus": ["0"], "memory_mb": 100},
        "resume_from": None,
        "start_from": None,
        "inputs": [],
        "output_dir": str(folder / "output"),
        "journal": str(folder / "journal.jsonl"),
        **changes,
    }


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "output").mkdir()
    spec = parse_spec(spec_data(tmp_path))
    return Context(spec, Reporter(Journal(spec.journal)))


def events(context: Context) -> list[dict[str, Any]]:
    return [json.loads(line) for line in context.spec.journal.read_text().splitlines()]


# Spec


def test_a_whole_spec_is_read(tmp_path: Path) -> None:
    resume = {"path": "/a/resume.ckpt", "sha256": "ab", "step": 120, "epoch": 4}
    data = spec_data(
        tmp_path,
        resume_from=resume,
        inputs=[{"name": "photo.jpg", "path": "/a/0-photo.jpg", "sha256": "cd"}],
        dataset={"manifest": "/a/manifest.json"},
        later_key="is left alone",
    )
    spec = parse_spec(data)
    assert spec.resume_from is not None
    assert (spec.resume_from.step, spec.resume_from.epoch, spec.resume_from.path) == (120, 4, Path("/a/resume.ckpt"))
    assert spec.inputs[0].name == "photo.jpg"
    assert spec.dataset == Path("/a/manifest.json")
    assert spec.resources.gpus == ("0",)
    Draft202012Validator(SCHEMA).validate(data)


BAD_SPECS: list[dict[str, Any]] = [
    {"contract": 2},
    {"contract": "1"},
    {"mode": "dance"},
    {"job_id": 5},
    {"attempt_no": True},
    {"config": []},
    {"output_dir": "relative"},
    {"seed": "0"},
    {"dataset": {}},
    {"dataset": {"manifest": "relative.json"}},
    {"resources": {"gpus": 1}},
    {"resume_from": {"path": "/a"}},
    {"start_from": {"path": "/a", "sha256": "x", "epoch": "4"}},
    {"inputs": [{"name": "a", "path": "b", "sha256": "c"}]},
    {"inputs": ["a"]},
]


@pytest.mark.parametrize("change", BAD_SPECS, ids=str)
def test_a_bad_spec_is_refused_by_hand_and_by_schema(tmp_path: Path, change: dict[str, Any]) -> None:
    good = spec_data(tmp_path)
    parse_spec(good)
    assert Draft202012Validator(SCHEMA).is_valid(good)
    bad = {**good, **change}
    with pytest.raises(SpecError):
        parse_spec(bad)
    assert not Draft202012Validator(SCHEMA).is_valid(bad)


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_a_key_that_the_schema_requires_is_required_by_hand(tmp_path: Path, key: str) -> None:
    data = spec_data(tmp_path)
    del data[key]
    with pytest.raises(SpecError, match=key):
        parse_spec(data)


# Dataset


def test_a_broken_dataset_is_bad_data(tmp_path: Path) -> None:
    manifest = {"contract": 1, "name": "d", "task": "detect", "root_hash": "x", "root": str(tmp_path)}
    manifest |= {"classes": [{"id": 0, "name": "circle"}], "counts": {"train": 1}}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))
    (tmp_path / "items.jsonl").write_text('{"path": "a"}\n')
    dataset = Dataset(path)
    assert dataset.counts == {"train": 1, "val": 0, "test": 0}
    with pytest.raises(Failure, match="items.jsonl line 1") as caught:
        list(dataset.items())
    assert caught.value.code == "bad_data"
    with pytest.raises(ValueError, match="not one of"):
        list(dataset.items("all"))
    with pytest.raises(Failure, match=r"split_metadata\.json"):
        dataset.split_metadata()
    deep = "[" * 200_000
    (tmp_path / "split_metadata.json").write_text(deep)
    with pytest.raises(Failure, match=r"split_metadata\.json"):
        dataset.split_metadata()
    (tmp_path / "items.jsonl").write_text(f"{deep}\n")
    with pytest.raises(Failure, match=r"items\.jsonl line 1"):
        list(dataset.items())
    for wrong in (
        {},
        {**manifest, "classes": [{"id": "0", "name": "circle"}]},
        {**manifest, "classes": [{"id": 0, "name": 1}]},
    ):
        path.write_text(json.dumps(wrong))
        with pytest.raises(Failure, match="manifest"):
            Dataset(path)


def test_a_mode_that_needs_a_dataset_and_has_none_fails_with_bad_data(context: Context) -> None:
    with pytest.raises(Failure, match="needs a dataset"):
        _ = context.dataset


# Checkpoints


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def test_a_checkpoint_is_reported_when_file_and_marker_are_there(context: Context) -> None:
    done = context.checkpoint("best", write=text("weights"), step=7, epoch=1, metrics={"val/loss": 0.5}, suffix=".pt")
    assert done.path.name == "best-000007.pt"
    assert marker_of(done.path).read_text() == sha256_of(done.path) == done.sha256
    data = events(context)[-1]["data"]
    assert (data["sha256"], data["size"], data["metrics"]) == (done.sha256, 7, {"val/loss": 0.5})


def test_the_newest_two_to_resume_from_and_one_best_are_kept(context: Context) -> None:
    for step in (10, 20, 30):
        context.checkpoint("resume", write=text(str(step)), step=step, epoch=None)
        context.checkpoint("best", write=text(str(step)), step=step, epoch=None)
    names = {path.name for path in context.checkpoints.folder.iterdir()}
    kept = {"resume-000020.ckpt", "resume-000030.ckpt", "best-000030.ckpt"}
    assert names == kept | {f"{name}.complete" for name in kept}


def test_a_checkpoint_of_the_same_step_gets_a_name_of_its_own(context: Context) -> None:
    first = context.checkpoint("resume", write=text("a"), step=5, epoch=None)
    second = context.checkpoint("resume", write=text("b"), step=5, epoch=None)
    assert (first.path.read_text(), second.path.read_text()) == ("a", "b")


def test_a_checkpoint_that_fails_leaves_nothing_and_is_not_reported(context: Context) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        context.checkpoint("best", write=write, step=1, epoch=None)
    assert list(context.checkpoints.folder.iterdir()) == []
    assert not context.checkpoints.has("best")
    with pytest.raises(FileNotFoundError):
        context.checkpoint("best", write=lambda path: None, step=1, epoch=None)
    with pytest.raises(ValueError, match="not one of"):
        context.checkpoint("worst", write=text("x"), step=1, epoch=None)


def test_a_resume_checkpoint_is_verified_before_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "resume.ckpt"
    path.write_text('{"step": 3}')
    resume = {"path": str(path), "sha256": sha256_of(path), "step": 3, "epoch": 1}

    def load() -> Any:
        spec = parse_spec(spec_data(tmp_path, resume_from=resume, journal=str(tmp_path / "j")))
        return Context(spec, None).load_resume(json.loads)  # type: ignore[arg-type]

    assert load() == {"step": 3}
    path.write_text('{"step": 4}')
    with pytest.raises(Failure, match="damaged"):
        load()
    path.write_text("no JSON")
    resume["sha256"] = sha256_of(path)
    with pytest.raises(Failure, match="cannot be read"):
        load()


# Artifacts


def test_an_artifact_comes_from_a_writer_a_file_or_data(context: Context, tmp_path: Path) -> None:
    (tmp_path / "source.csv").write_text("a,b\n")
    context.artifact("plots/curve.json", "plot", data={"points": [[1, float("nan")]]}, title="Curve")
    context.artifact("table.csv", "table", path=tmp_path / "source.csv")
    context.artifact("report.txt", "report", write=text("fine"))
    curve, table, report = [event["data"] for event in events(context)]
    assert json.loads(Path(curve["path"]).read_text()) == curve["data"] == {"points": [[1, "NaN"]]}
    assert (table["media_type"], table["size"]) == ("text/csv", 4)
    assert report["sha256"] == sha256_of(report["path"])


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "", "a/./b", "a//b"])
def test_an_artifact_cannot_leave_its_folder(context: Context, name: str) -> None:
    context.artifact("a/b", "file", data=1)
    with pytest.raises(ValueError, match="plain relative name"):
        context.artifact(name, "file", data=1)


def test_an_artifact_is_named_once_and_needs_bytes(context: Context) -> None:
    context.artifact("a", "file", data=1)
    with pytest.raises(ValueError, match="already reported"):
        context.artifact("a", "file", data=1)
    with pytest.raises(ValueError, match="needs write, path or data"):
        context.artifact("b", "file")


# The frame


def run_program(folder: Path, body: str, mode: str = "train", **changes: Any) -> tuple[int, list[dict[str, Any]], str]:
    """Runs a trainer whose mode `train` is `body`; returns exit code, events and output."""
    package = folder / "trainer" / "own_trainer"
    package.mkdir(parents=True)
    (folder / "output").mkdir()
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    source = f"from modelyard_trainer import Failure, run\n\n\ndef train(context):\n{lines}\n\n\nrun(train=train)\n"
    (package / "__main__.py").write_text(source)
    (folder / "spec.json").write_text(json.dumps(spec_data(folder, mode=mode, **changes)))
    done = subprocess.run(
        [sys.executable, "-m", "own_trainer", mode, "--spec", str(folder / "spec.json")],
        cwd=package.parent,
        env={"PYTHONPATH": str(SDK.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    journal = folder / "journal.jsonl"
    written = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    return done.returncode, written, done.stderr


LAST = "context.checkpoint('last', write=lambda path: path.write_text('x'), step=1, epoch=1)\n"


@pytest.mark.parametrize(
    ("body", "code", "type_", "value"),
    [
        (LAST + "context.succeeded(metrics={'train/loss': 1})", 0, "result", "succeeded"),
        ("context.stopped()", 10, "result", "stopped"),
        ("context.succeeded()", 1, "failure", "no_result"),
        (LAST, 1, "failure", "no_result"),
        ("raise Failure('bad_config', 'm', hint='h')", 2, "failure", "bad_config"),
        ("raise Failure('bad_data', 'm')", 3, "failure", "bad_data"),
        ("raise MemoryError", 4, "failure", "out_of_memory"),
        ("class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError('GPU')", 4, "failure", "out_of_memory"),
        ("raise Failure('mode_not_honoured', 'm')", 5, "failure", "mode_not_honoured"),
        ("raise Failure('diverged', 'm')", 6, "failure", "diverged"),
        ("raise Failure('licence_missing', 'm')", 1, "failure", "licence_missing"),
        ("1 / 0", 1, "failure", "trainer_crashed"),
        (LAST + "context.succeeded()\n1 / 0", 1, "failure", "trainer_crashed"),
        ("raise SystemExit(0)", 1, "failure", "trainer_crashed"),
    ],
)
def test_every_end_has_its_exit_code_and_exactly_one_last_word(
    tmp_path: Path, body: str, code: int, type_: str, value: str
) -> None:
    returned, written, output = run_program(tmp_path, body)
    assert returned == code, output
    last_words = [event for event in written if event["type"] in ("result", "failure")]
    assert [event["type"] for event in last_words] == [type_]
    assert written[-1] == last_words[0]
    assert last_words[0]["data"]["status" if type_ == "result" else "code"] == value


def test_a_mode_that_is_absent_is_not_honoured(tmp_path: Path) -> None:
    returned, written, _ = run_program(tmp_path, "context.stopped()", mode="export")
    assert (returned, written[-1]["data"]["code"]) == (5, "mode_not_honoured")


def test_a_bad_spec_ends_with_the_code_of_a_bad_configuration(tmp_path: Path) -> None:
    returned, written, output = run_program(tmp_path, "context.stopped()", seed="none")
    assert (returned, written) == (2, [])
    assert "seed is not a whole number" in output


def test_sigterm_sets_the_flag_and_the_trainer_decides(tmp_path: Path) -> None:
    body = "import os, signal\nassert not context.stopping\nos.kill(os.getpid(), signal.SIGTERM)\n"
    returned, written, output = run_program(tmp_path, body + "assert context.stopping\ncontext.stopped()")
    assert returned == 10, output
    assert written[-1]["data"]["status"] == "stopped"
