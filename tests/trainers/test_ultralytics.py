"""The Ultralytics trainer as a process in its own environment: trains, stops, is killed, goes on, predicts, stays offline.

The environment is built from the lock file into `MODELYARD_CACHE` (`~/.cache/modelyard`) when it is not there yet.
"""

import hashlib
import json
import os
import pickle
import random
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.environments import ensure
from PIL import Image, ImageDraw

TRAINERS = Path(__file__).resolve().parents[2] / "trainers"
PATIENCE = 90.0
# Small and quick; several batches in an epoch, mosaic and mix-up so that every generator matters.
CONFIG = {
    "epochs": 4,
    "imgsz": 64,
    "batch": 4,
    "nbs": 4,
    "optimizer": "AdamW",
    "lr0": 0.005,
    "warmup_epochs": 1,
    "mixup": 0.3,
    "close_mosaic": 1,
    "plots": False,
}
# Notes every attempt to look up a name or to connect to another machine, and that it was listening.
AUDIT = """
import sys

LOG = {log!r}


def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = str(arguments[1][0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = str(arguments[0])
    else:
        return
    if address not in ("127.0.0.1", "::1", "localhost", "None"):
        with open(LOG, "a") as file:
            file.write(event + " " + address + chr(10))


with open(LOG, "a") as file:
    file.write("listening" + chr(10))
sys.addaudithook(hook)
"""


@pytest.fixture(scope="session")
def python() -> Path:
    cache = os.environ.get("MODELYARD_CACHE") or Path.home() / ".cache" / "modelyard"
    return ensure(TRAINERS / "ultralytics", cache).python


def draw_dataset(
    folder: Path, *, train: int = 24, val: int = 8, names: tuple[str, ...] = ("disc", "정사각형")
) -> Path:
    """Dark discs and bright squares on grey, in odd folders and under odd names; returns the manifest."""
    rng = random.Random(4)
    lines = []
    for number in range(train + val):
        picture = Image.new("RGB", (96, 64), (rng.randint(90, 150),) * 3)
        x, y, size = rng.randint(2, 50), rng.randint(2, 26), rng.randint(20, 34)
        kind = number % 2
        draw = ImageDraw.Draw(picture)
        (draw.rectangle if kind else draw.ellipse)(
            (x, y, x + size, y + size), fill=(250, 240, 0) if kind else (0, 0, 90)
        )
        path = f"images/part {number % 3}/images/{number // 2:03d}{'.PNG' if kind else '.png'}"
        file = folder / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, "PNG")
        annotation = {"class": 10 + kind, "bbox": [x, y, size + 1, size + 1]}
        item = {"path": path, "split": "train" if number < train else "val", "width": 96, "height": 64}
        item |= {"sha256": digest(file), "size": file.stat().st_size, "annotations": [annotation]}
        lines.append(json.dumps(item))
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")
    classes = [{"id": 10 + number, "name": name} for number, name in enumerate(names)]
    manifest = {"contract": 1, "name": "shapes", "task": "detect", "root_hash": "0" * 64, "root": str(folder)}
    manifest |= {"classes": classes, "counts": {"train": train, "val": val, "test": 0}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Attempt:
    """One process of the trainer, started by hand as the launcher would."""

    def __init__(self, python: Path, folder: Path, mode: str = "train", **orders: Any):
        self.folder = folder
        (folder / "output").mkdir(parents=True)
        (folder / "home").mkdir()
        for key in ("resume_from", "start_from"):
            if orders.get(key):
                orders[key] = {"path": str(orders[key]), "sha256": digest(orders[key])}
        inputs = orders.pop("inputs", [])
        manifest = orders.pop("manifest", None)
        spec = {
            "contract": 1,
            "mode": mode,
            "job_id": "job",
            "attempt_id": folder.name,
            "attempt_no": 1,
            "trainer": "ultralytics",
            "task": "detect",
            "model": "yolov8-tiny",
            "config": CONFIG if mode == "train" else {},
            "seed": 0,
            "dataset": {"manifest": str(manifest)} if manifest else None,
            "resources": {"cpus": 2, "gpus": [], "memory_mb": 4096},
            "resume_from": None,
            "start_from": None,
            "inputs": [{"name": path.name, "path": str(path), "sha256": digest(path)} for path in inputs],
            "output_dir": str(folder / "output"),
            "journal": str(folder / "journal.jsonl"),
            **orders,
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        self.network = folder / "network.txt"
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(AUDIT.format(log=str(self.network)))
        self.log = open(folder / "log.txt", "wb")  # noqa: SIM115 (closed with the process)
        self.process = subprocess.Popen(
            [python, "-m", "modelyard_ultralytics", mode, "--spec", folder / "spec.json"],
            cwd=folder / "output",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder / "home"),
                "TMPDIR": str(folder / "home"),
                "OMP_NUM_THREADS": "2",
                "CUDA_VISIBLE_DEVICES": "",
                "MODELYARD_ATTEMPT_ID": folder.name,
                "PYTHONPATH": os.pathsep.join(map(str, (folder / "site", TRAINERS / "sdk", TRAINERS / "ultralytics"))),
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        """The complete lines of the journal."""
        path = self.folder / "journal.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def data(self, type: str, **match: Any) -> list[dict[str, Any]]:
        """The data of all events of a type whose data has these values."""
        found = [event["data"] for event in self.events if event["type"] == type]
        return [data for data in found if all(data.get(key) == value for key, value in match.items())]

    def output(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """The exit code."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.end()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Waits for a condition while the process lives."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.output()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.005)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def epochs(self) -> dict[int, dict[str, float]]:
        """Metrics of each epoch, without those that measure time."""
        return {
            data["epoch"]: {name: value for name, value in data["values"].items() if not name.startswith("time/")}
            for data in self.data("metrics", scope="epoch")
        }

    def newest(self, kind: str) -> Path:
        """The newest complete checkpoint of a kind."""
        return Path(self.data("checkpoint", kind=kind)[-1]["path"])


Start = Callable[..., Attempt]


@pytest.fixture(scope="module")
def start(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    attempts: list[Attempt] = []

    def begin(mode: str = "train", **orders: Any) -> Attempt:
        attempts.append(Attempt(python, tmp_path_factory.mktemp("attempt") / "images", mode, **orders))
        return attempts[-1]

    yield begin
    for attempt in attempts:
        attempt.end()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="module")
def trained(start: Start, manifest: Path) -> Attempt:
    """A whole training with drawings, not interrupted."""
    before = {path: digest(path) for path in manifest.parent.rglob("*") if path.is_file()}
    attempt = start(manifest=manifest, config=CONFIG | {"plots": True})
    assert attempt.wait() == 0, attempt.output()
    after = {path: digest(path) for path in manifest.parent.rglob("*") if path.is_file()}
    assert after == before, "the dataset was changed"
    return attempt


def test_a_training_reports_batches_epochs_and_progress(trained: Attempt) -> None:
    types = [event["type"] for event in trained.events]
    assert types[0] == "started" and types[-1] == "result" and types.count("result") == 1
    assert [event["seq"] for event in trained.events] == list(range(1, len(types) + 1))
    batches = trained.data("metrics", scope="batch")
    steps = [data["step"] for data in batches]
    assert steps == sorted(set(steps)) and {6, 12, 18, 24} <= set(steps)
    assert {"batch/box_loss", "batch/cls_loss", "batch/dfl_loss", "lr/pg0"} <= batches[0]["values"].keys()
    epochs = trained.epochs()
    assert list(epochs) == [1, 2, 3, 4], "the final evaluation is no epoch"
    wanted = {"train/box_loss", "val/box_loss", "val/precision", "val/recall", "val/map50", "val/map50-95"}
    assert wanted | {"val/ap50/disc", "val/ap50/class 11"} <= epochs[4].keys()
    fractions = [data["fraction"] for data in trained.data("progress")]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert any(data["stage"] == "training" and data["unit"] == "epoch" for data in trained.data("progress"))


def test_a_training_leaves_weights_curves_pictures_and_predictions(trained: Attempt, manifest: Path) -> None:
    for kind in ("best", "last"):
        path = trained.newest(kind)
        assert Path(f"{path}.complete").read_text() == digest(path)
        assert path.stat().st_size < 3_000_000, "the optimizer is still in it"
        with zipfile.ZipFile(path) as file:
            record = b"".join(file.read(name) for name in file.namelist() if name.endswith("data.pkl"))
        assert str(manifest.parent).encode() not in record and b"/output/work" not in record
    artifacts = {data["name"]: data for data in trained.data("artifact")}
    for data in artifacts.values():
        assert digest(Path(data["path"])) == data["sha256"]
    curve = artifacts["curves/precision-recall.json"]["data"]
    assert [series["name"] for series in curve["series"]] == ["mean", "disc", "정사각형"]
    assert len(curve["x"]["values"]) == len(curve["series"][0]["values"]) == 101
    matrix = artifacts["confusion-matrix.json"]["data"]
    assert matrix["columns"]["names"] == ["disc", "정사각형", "background"]
    actual = [sum(row[column] for row in matrix["values"]) for column in range(2)]
    assert actual == [4, 4], "every labelled box is counted once"
    assert {"pictures/labels.jpg", "pictures/train_batch0.jpg", "pictures/val_batch0_pred.jpg"} <= artifacts.keys()
    predictions = json.loads(Path(artifacts["predictions.json"]["path"]).read_text())
    items = [json.loads(line) for line in (manifest.parent / "items.jsonl").read_text().splitlines()]
    assert {image["path"] for image in predictions["images"]} == {i["path"] for i in items if i["split"] == "val"}
    boxes = [box for image in predictions["images"] for box in image["boxes"]]
    assert {box["class"] for box in boxes} <= {10, 11} and boxes
    assert all(-1 <= box["bbox"][0] <= 97 and box["bbox"][2] <= 98 for box in boxes), "pixels of the picture"
    assert not (trained.folder / "output" / "work").exists()


def test_a_training_speaks_to_no_other_machine(trained: Attempt) -> None:
    assert set(trained.network.read_text().splitlines()) == {"listening"}


def test_the_log_is_readable_text(trained: Attempt) -> None:
    assert "Starting training for 4 epochs" in trained.output()
    assert "\x1b" not in trained.output() and "\r" not in trained.output()


def test_the_same_seed_gives_the_same_numbers(trained: Attempt, start: Start, manifest: Path) -> None:
    again, other = start(manifest=manifest), start(manifest=manifest, seed=1)
    assert (again.wait(), other.wait()) == (0, 0)
    assert again.epochs() == trained.epochs()
    assert again.data("result")[0]["metrics"] == trained.data("result")[0]["metrics"]
    assert other.epochs() != trained.epochs()


def test_a_killed_training_goes_on_as_if_nothing_had_happened(trained: Attempt, start: Start, manifest: Path) -> None:
    killed = start(manifest=manifest)
    killed.until(lambda: killed.data("checkpoint", kind="resume"), "a resume checkpoint")
    killed.process.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    done = killed.data("checkpoint", kind="resume")[-1]
    resumed = start(manifest=manifest, resume_from=killed.newest("resume"))
    assert resumed.wait() == 0, resumed.output()
    assert resumed.data("metrics")[0]["step"] == done["step"] + 1
    expected = {epoch: values for epoch, values in trained.epochs().items() if epoch > done["epoch"]}
    assert resumed.epochs() == expected and expected
    assert resumed.data("result")[0]["metrics"] == trained.data("result")[0]["metrics"]


def test_a_stop_in_the_middle_of_an_epoch_loses_no_batch(trained: Attempt, start: Start, manifest: Path) -> None:
    stopped = start(manifest=manifest)
    stopped.until(lambda: stopped.data("metrics", scope="epoch"), "the end of the first epoch")
    stopped.process.terminate()
    assert stopped.wait() == 10, stopped.output()
    assert stopped.data("result")[0]["status"] == "stopped"
    done = stopped.data("checkpoint", kind="resume")[-1]
    assert done["step"] == stopped.data("result")[0]["summary"]["step"] >= 6
    assert stopped.newest("last").exists()
    resumed = start(manifest=manifest, resume_from=stopped.newest("resume"))
    assert resumed.wait() == 0, resumed.output()
    assert resumed.data("metrics")[0]["step"] == done["step"] + 1
    for epoch, values in resumed.epochs().items():
        assert values == pytest.approx(trained.epochs()[epoch], rel=1e-5, abs=1e-5)
    assert max(resumed.epochs()) == 4


def test_a_finished_training_cannot_go_on(start: Start, manifest: Path) -> None:
    first = start(manifest=manifest, config=CONFIG | {"epochs": 3})
    first.until(lambda: first.data("checkpoint", kind="resume"), "a resume checkpoint")
    first.process.terminate()
    assert first.wait() == 10
    done = first.data("checkpoint", kind="resume")[-1]
    finished = start(
        manifest=manifest, resume_from=first.newest("resume"), config=CONFIG | {"epochs": int(done["epoch"])}
    )
    assert finished.wait() == 2
    assert finished.data("failure")[0]["code"] == "bad_config" and "finished" in finished.data("failure")[0]["message"]


def test_weights_begin_a_training_and_other_classes_are_said(trained: Attempt, start: Start, tmp_path: Path) -> None:
    other = draw_dataset(tmp_path, train=8, val=4, names=("정사각형", "ring"))
    config = CONFIG | {"epochs": 1}
    begun = start(manifest=other, start_from=trained.newest("best"), config=config)
    wrong = start(manifest=other, start_from=trained.newest("best"), config=config, model="yolov8n")
    assert begun.wait() == 0, begun.output()
    assert begun.data("warning", code="classes_differ")[0]["params"]["given"] == ["disc", "정사각형"]
    assert wrong.wait() == 2
    assert "another model" in wrong.data("failure")[0]["message"]


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize(
    ("mode", "key"), [("train", "start_from"), ("train", "resume_from"), ("predict", "start_from")]
)
def test_code_in_a_checkpoint_is_refused_and_never_runs(
    start: Start, manifest: Path, trained: Attempt, tmp_path: Path, mode: str, key: str
) -> None:
    trap, target = tmp_path / "evil.pt", tmp_path / "ran"
    with zipfile.ZipFile(trained.newest("best")) as good, zipfile.ZipFile(trap, "w") as evil:
        for name in good.namelist():
            content = pickle.dumps({"model": Malice(target)}, 2) if name.endswith("data.pkl") else good.read(name)
            evil.writestr(name, content)
    pictures = sorted(manifest.parent.rglob("*.png"))[:1]
    attempt = start(mode, manifest=manifest, inputs=pictures, **{key: trap})
    assert attempt.wait() == 3, attempt.output()
    assert attempt.data("failure")[0]["code"] == "bad_data"
    assert not target.exists()


def test_predictions_are_boxes_in_pixels(trained: Attempt, start: Start, manifest: Path) -> None:
    pictures = sorted((manifest.parent / "files").rglob("*.png"))[:2]
    attempt = start(
        "predict", start_from=trained.newest("best"), inputs=pictures, config={"conf": 0.001, "max_det": 5}
    )
    assert attempt.wait() == 0, attempt.output()
    summary = attempt.data("result")[0]["summary"]
    assert [entry["name"] for entry in summary["predictions"]] == [path.name for path in pictures]
    for entry in summary["predictions"]:
        assert (entry["width"], entry["height"]) == (96, 64) and entry["milliseconds"] > 0
        assert 0 < len(entry["boxes"]) <= 5
        scores = [box["score"] for box in entry["boxes"]]
        assert scores == sorted(scores, reverse=True)
        assert all({10: "disc", 11: "정사각형"}[box["class"]] == box["label"] for box in entry["boxes"])
        assert all(0 <= box["bbox"][0] and box["bbox"][0] + box["bbox"][2] <= 96.1 for box in entry["boxes"])
    artifact = attempt.data("artifact", name="predictions.json")[0]
    assert json.loads(Path(artifact["path"]).read_text()) == summary
    assert set(attempt.network.read_text().splitlines()) == {"listening"}


def test_a_picture_that_cannot_be_read_is_named(trained: Attempt, start: Start, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    attempt = start("predict", start_from=trained.newest("best"), inputs=[broken])
    assert attempt.wait() == 3
    assert "broken.jpg" in attempt.data("failure")[0]["message"]


@pytest.mark.parametrize(
    ("orders", "exit_code", "said"),
    [
        ({"config": {"epochs": 0}}, 2, "epochs"),
        ({"config": {"project": "../../"}}, 2, "project"),
        ({"model": "../yolo"}, 2, "no model"),
        ({"task": "segment"}, 5, "segment"),
        ({"resources": {"cpus": 2, "gpus": ["0", "1"], "memory_mb": 1}}, 5, "one GPU"),
        ({"config": CONFIG | {"freeze": 30}}, 2, "no layer"),
    ],
)
def test_orders_that_cannot_be_met_are_refused_with_a_reason(
    start: Start, manifest: Path, orders: dict[str, Any], exit_code: int, said: str
) -> None:
    attempt = start(manifest=manifest, **orders)
    assert attempt.wait() == exit_code, attempt.output()
    assert said in attempt.data("failure")[0]["message"]
    assert [event["type"] for event in attempt.events].count("failure") == 1


def test_damaged_pictures_are_left_out_and_said(start: Start, tmp_path: Path) -> None:
    manifest = draw_dataset(tmp_path, train=8, val=4)
    first = json.loads((tmp_path / "items.jsonl").read_text().splitlines()[0])
    (tmp_path / "files" / first["path"]).write_bytes(b"\x89PNG damaged")
    attempt = start(manifest=manifest, config=CONFIG | {"epochs": 1})
    assert attempt.wait() == 0, attempt.output()
    warning = attempt.data("warning", code="pictures_left_out")[0]
    assert warning["params"] == {"split": "train", "count": 1, "paths": [first["path"]]}
