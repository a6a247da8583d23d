"""The Ultralytics trainer without its library: what it says of itself, the dataset's pictures, how it reacts to numbers."""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from modelyard_trainer import Failure
from modelyard_trainer.config_schema import ConfigError, complete_config, schema_problems
from modelyard_trainer.dataset import DatasetClass
from modelyard_trainer.descriptor import read_descriptor
from PIL import Image

from tests.trainers.dataset_support import item, make_dataset

FOLDER = Path(__file__).resolve().parents[2] / "trainers" / "ultralytics"
sys.path.append(str(FOLDER))

from modelyard_ultralytics.architectures import BASES
from modelyard_ultralytics.layout import lay_out
from modelyard_ultralytics.prediction import predict
from modelyard_ultralytics.results import class_key, curve_data, matrix_data
from modelyard_ultralytics.session import Session
from modelyard_ultralytics.training import PASSED_ON, _explained

SCHEMA = json.loads((FOLDER / "config.schema.json").read_text(encoding="utf-8"))
PREDICT_SCHEMA = json.loads((FOLDER / "predict.schema.json").read_text(encoding="utf-8"))


def test_the_folder_describes_a_trainer_of_contract_1() -> None:
    descriptor = read_descriptor(FOLDER)
    assert descriptor.license == "AGPL-3.0-only"
    assert descriptor.primary_metric == "val/map50"
    assert descriptor.modes == ("train", "predict") and descriptor.resumes
    assert {model.name for model in descriptor.models} == set(BASES)
    assert all({"en", "ko"} <= style.title.keys() for style in descriptor.metrics.values())


def test_every_setting_is_explained_in_both_languages_and_ordered() -> None:
    rules = SCHEMA["properties"].values()
    assert all({"title", "description", "x-title-ko", "x-description-ko", "default"} <= rule.keys() for rule in rules)
    orders = [rule["x-order"] for rule in rules]
    assert orders == sorted(set(orders))
    assert set(PASSED_ON) <= SCHEMA["properties"].keys()


def test_presets_name_models_that_exist() -> None:
    assert [preset["name"] for preset in SCHEMA["x-presets"]] == ["quick", "balanced", "accurate"]
    assert all(preset["model"] in BASES for preset in SCHEMA["x-presets"])


def test_settings_of_a_prediction_are_settings_of_the_trainer() -> None:
    assert list(schema_problems(PREDICT_SCHEMA)) == []
    for key, rule in PREDICT_SCHEMA["properties"].items():
        training = SCHEMA["properties"][key]
        for keyword in ("type", "minimum", "maximum", "multipleOf"):
            assert rule.get(keyword) == training.get(keyword), key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochz", 1),
        ("epochs", 0),
        ("epochs", -1),
        ("epochs", 10**9),
        ("batch", -2),
        ("batch", 10**6),
        ("imgsz", 0),
        ("imgsz", 31),
        ("imgsz", 10**6),
        ("lr0", math.nan),
        ("lr0", 0),
        ("device", "cuda:99"),
        ("device", "0;id"),
        ("project", "../../"),
        ("name", "a\nb$(id)"),
        ("freeze", -1),
        ("optimizer", "Lion"),
        ("mosaic", 1.5),
        ("epochs", True),
        ("epochs", "5"),
    ],
)
def test_bad_settings_are_refused_by_name(key: str, value: Any) -> None:
    assert complete_config(SCHEMA, {}, "detect")["epochs"] == 100
    with pytest.raises(ConfigError) as caught:
        complete_config(SCHEMA, {key: value}, "detect")
    assert list(caught.value.problems) == [key]


def test_pictures_that_the_library_does_not_know_become_png(tmp_path: Path) -> None:
    items = [
        item("a.jpg", "train", (7, [0, 0, 20, 10])),
        item("old/a.gif", "val"),
    ]
    layout = lay_out(make_dataset(tmp_path / "given", items), tmp_path / "work")
    (name,) = (name for name, picture in layout.pictures.items() if picture.path == "old/a.gif")
    with Image.open(layout.folder / "images/val" / name) as converted:
        assert converted.format == "PNG" and converted.size == (40, 20)


def test_what_is_no_picture_is_bad_data(tmp_path: Path) -> None:
    given = make_dataset(tmp_path / "given", [item("a.gif", "train", (7, [0, 0, 20, 10])), item("b.jpg", "val")])
    (tmp_path / "given/files/a.gif").write_bytes(b"GIF89a and nothing else")
    with pytest.raises(Failure, match=r"a\.gif cannot be read as a picture") as caught:
        lay_out(given, tmp_path / "work")
    assert caught.value.code == "bad_data"


@pytest.mark.parametrize(
    ("items", "classes", "said"),
    [
        ([item("a.jpg", "train", (7, [0, 0, 9, 9]))], None, "no validation pictures"),
        ([item("a.jpg", "val", (7, [0, 0, 9, 9]))], None, "no training pictures"),
        ([item("a.jpg", "train"), item("b.jpg", "val")], None, "no picture of the dataset has a box"),
        ([item("a.jpg", "train"), item("b.jpg", "val")], [], "no classes"),
        ([item("a.jpg", "train", (9, [0, 0, 9, 9]))], None, "cannot be understood"),
        ([item("a.jpg", "train", (7, [0, 0, math.inf, 9]))], None, "finite"),
        ([item("a.jpg", "train", (7, [0, 0, 9]))], None, "four finite numbers"),
    ],
)
def test_a_dataset_that_cannot_be_trained_on_is_bad_data(
    tmp_path: Path, items: list[dict[str, Any]], classes: list[dict[str, Any]] | None, said: str
) -> None:
    given = make_dataset(tmp_path / "given", items, classes=classes)
    with pytest.raises(Failure, match=said) as caught:
        lay_out(given, tmp_path / "work")
    assert caught.value.code == "bad_data"


class Recorder:
    """Takes the place of the context and of its reporter."""

    def __init__(self, **config: Any):
        self.report = self
        self.config = {"time_hours": 0, "save_period": 0, **config}
        self.stopping = False
        self.said: list[tuple[str, dict[str, Any]]] = []

    def metrics(self, **data: Any) -> None:
        self.said.append(("metrics", data))

    def progress(self, *_: Any, **data: Any) -> None:
        self.said.append(("progress", data))


def batch_of(loss: float) -> Any:
    group = {"lr": 0.01}
    return SimpleNamespace(loss_items={"box_loss": loss}, optimizer=SimpleNamespace(param_groups=[group]), epochs=2)


def test_a_loss_that_is_not_finite_is_reported_and_ends_the_training() -> None:
    recorder = Recorder()
    session = Session(recorder, layout=None, given_weights=None, state=None)  # type: ignore[arg-type]
    session.batches = 4
    session.on_train_batch_end(batch_of(1.5))
    assert recorder.said[0][1]["values"] == {"batch/box_loss": 1.5, "lr/pg0": 0.01}
    session.batch = 3
    with pytest.raises(Failure) as caught:
        session.on_train_batch_end(batch_of(math.nan))
    assert caught.value.code == "diverged" and caught.value.params["step"] == 4
    assert math.isnan(recorder.said[-2][1]["values"]["batch/box_loss"])


def test_batches_are_reported_sparingly_but_the_last_of_an_epoch_always() -> None:
    recorder = Recorder()
    session = Session(recorder, layout=None, given_weights=None, state=None)  # type: ignore[arg-type]
    session.batches = 50
    for _ in range(50):
        session.on_train_batch_end(batch_of(1.0))
    steps = [data["step"] for kind, data in recorder.said if kind == "metrics"]
    assert steps[0] == 1 and steps[-1] == 50 and len(steps) < 10


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            "out_of_memory",
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "out_of_memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA: full"), "out_of_memory"),
        (RuntimeError("'freeze=30' froze the entire model with no trainable parameters left."), "bad_config"),
        (ValueError("final batch=1 training at imgsz=32 gives BatchNorm a single value"), "bad_config"),
    ],
)
def test_errors_of_the_library_become_failures(error: Exception, code: str) -> None:
    explained = _explained(error, Recorder(batch=8, imgsz=64))  # type: ignore[arg-type]
    assert isinstance(explained, Failure) and explained.code == code


def test_other_errors_stay_what_they_are() -> None:
    error = RuntimeError("something else")
    assert _explained(error, Recorder(batch=8, imgsz=64)) is error  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "key"), [("cat", "cat"), ("고양이", "class 4"), ("a/b", "class 4"), ("x" * 101, "class 4")]
)
def test_class_names_become_parts_of_metric_names(name: str, key: str) -> None:
    assert class_key(DatasetClass(4, name)) == key


class Row(list[float]):
    """As much of an array as a curve needs."""

    def mean(self, axis: int) -> "Row":
        assert axis == 0
        return Row([sum(values) / len(self) for values in zip(*self, strict=True)])  # type: ignore[call-overload]


def test_curves_are_thinned_to_101_points_with_both_ends() -> None:
    x = [index / 999 for index in range(1000)]
    data = curve_data([x, Row([Row(x), Row([1 - value for value in x])]), "Recall", "Precision"], ["cat", "dog"])
    assert [series["name"] for series in data["series"]] == ["mean", "cat", "dog"]
    assert all(len(series["values"]) == 101 for series in data["series"])
    assert data["x"]["values"][0] == 0 and data["x"]["values"][-1] == 1
    assert set(data["series"][0]["values"]) == {0.5}


def test_the_matrix_has_the_background_last() -> None:
    data = matrix_data([[3.0, 1.0], [0.0, 0.0]], ["cat"])
    assert data["rows"]["names"] == ["cat", "background"] and data["values"] == [[3, 1], [0, 0]]


@pytest.mark.parametrize(("start", "inputs", "code"), [(None, ("x",), "bad_config"), (Path("w.pt"), (), "bad_data")])
def test_a_prediction_needs_weights_and_pictures(start: Path | None, inputs: tuple[str, ...], code: str) -> None:
    context = SimpleNamespace(start_path=lambda: start, spec=SimpleNamespace(inputs=inputs))
    with pytest.raises(Failure) as caught:
        predict(context)  # type: ignore[arg-type]
    assert caught.value.code == code
