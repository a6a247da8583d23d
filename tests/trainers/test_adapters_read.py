"""What adapters lay out is read as it was meant by those it is for: Ultralytics, torchvision, Hugging Face datasets.

Each library reads everything in one process of its own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer import Dataset
from modelyard_trainer.adapters import Layout, lay_out_hugging_face, lay_out_image_folder, lay_out_yolo

from apps.datasets.formats.model import Annotation
from apps.datasets.formats.writing import WritableItem
from tests.datasets.factories import labels
from tests.datasets.oracles import ask, expected, flat, read_by_trainer
from tests.trainers.dataset_support import CLASSES, make_dataset, shown, write_dataset

SHAPED = ("detect", "segment", "pose", "obb")
SPLITS = ("train", "val", "test")
Sets = dict[str, tuple[labels.Labelled, Dataset]]
#: How each task was laid out, and what was read of it.
Read = dict[str, tuple[Layout, Any]]
OWN = {"segment": "segmentation", "pose": "keypoints", "obb": "corners"}
DATASETS = """
import json, sys
from datasets import load_dataset

def load(folder):
    made = load_dataset("imagefolder", data_dir=folder)
    return {
        split: [{**row, "image": row["image"].size} for row in rows] for split, rows in made.items()
    }

print(json.dumps([load(folder) for folder in sys.argv[1:]]))
"""


def given(folder: Path, made: labels.Labelled, task: str) -> Dataset:
    """The labelled items of a set as the launcher lays them out, hostile to whoever goes by names."""
    lines = []
    for number, item in enumerate(item for item in made.items if item.annotation is not None):
        path = f"images/{number % 2}/labels/test {number // 2}.{'JPG' if number % 2 else 'jpg'}"
        file = folder / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(item.open().read())
        facts = {
            "path": path,
            "split": item.split,
            "width": item.width,
            "height": item.height,
            "sha256": "0",
            "size": 1,
        }
        lines.append(json.dumps({**facts, "annotations": item.annotation.document()["objects"]}))
    classes = [
        {"id": number, "name": info.name, "keypoints": info.keypoints} for number, info in enumerate(made.classes)
    ]
    return write_dataset(folder, lines, task=task, classes=classes)


def labelled_set(task: str) -> labels.Labelled:
    """Every split has an object; of `segment` one is a mask with a hole."""
    made = labels.make_set(task, seed=6, images=8)
    if task == "segment":
        mask = Annotation.of([labels.square_mask(1)])
        first = made.items[0]
        made.items[0] = WritableItem(first.path, first.split, first.width, first.height, mask, first.open)
    return made


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    home = tmp_path_factory.mktemp("sets")
    made = {task: labelled_set(task) for task in SHAPED}
    return {task: (one, given(home / task, one, task)) for task, one in made.items()}


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Of the classes `고양이` has pictures in one split, and `cat` in another; `Cat` has none."""
    items = [shown("a/1.jpg", "train", 7), shown("A/1.jpg", "train", 7), shown("b/1.jpg", "val", 3)]
    classes = [*CLASSES, {"id": 9, "name": "Cat"}]
    return make_dataset(tmp_path_factory.mktemp("classified"), items, task="classify", classes=classes)


@pytest.fixture(scope="module")
def by_trainer(sets: Sets, classified: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Read:
    home = tmp_path_factory.mktemp("trainer")
    layouts = {
        task: lay_out_yolo(dataset, home / task, task=task, splits=SPLITS) for task, (_, dataset) in sets.items()
    }
    layouts["classify"] = lay_out_image_folder(classified, home / "classify")
    found = read_by_trainer(home / "home", [(layout.folder, task) for task, layout in layouts.items()])
    return dict(zip(layouts, zip(layouts.values(), found, strict=True), strict=True))


@pytest.fixture(scope="module")
def by_hugging_face(sets: Sets, classified: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Read:
    home = tmp_path_factory.mktemp("hugging_face")
    given = {task: dataset for task, (_, dataset) in sets.items()} | {"classify": classified}
    layouts = {task: lay_out_hugging_face(dataset, home / task) for task, dataset in given.items()}
    found = ask(Path(sys.executable), home / "home", DATASETS, *(layout.folder for layout in layouts.values()))
    return dict(zip(layouts, zip(layouts.values(), found, strict=True), strict=True))


def shapes_of(made: labels.Labelled) -> dict[tuple[str, int], Annotation]:
    """The annotations by the number of their item."""
    known = [item for item in made.items if item.annotation is not None]
    return {(item.split, number): item.annotation for number, item in enumerate(known)}  # type: ignore[misc]


@pytest.mark.parametrize("task", SHAPED)
def test_ultralytics_loads_the_labels(sets: Sets, by_trainer: Read, task: str) -> None:
    made = sets[task][0]
    layout, found = by_trainer[task]
    annotations = shapes_of(made)
    assert list(found["names"].values()) == [info.name for info in made.classes]
    assert found["kpt_shape"] == ([3, 3] if task == "pose" else None)
    assert len(found["labels"]) == len(annotations) == len(layout.pictures)
    for (split, number), annotation in annotations.items():
        theirs = found["labels"][f"{number:08d}.jpg"]
        assert (theirs["split"], theirs["shape"]) == (split, [labels.HEIGHT, labels.WIDTH])
        if task == "segment" and number == 0:
            x, y, width, height = theirs["boxes"][0]
            assert (x * labels.WIDTH, y * labels.HEIGHT) == pytest.approx((25, 25), abs=1e-3)
            assert (width * labels.WIDTH, height * labels.HEIGHT) == pytest.approx((10, 10), abs=1e-3)
            assert theirs["classes"] == [1]
            continue
        ours = expected(annotation)
        assert theirs["classes"] == ours["classes"]
        values = theirs["segments"] if task in ("segment", "obb") else theirs["boxes"]
        assert flat(values) == pytest.approx(ours["values"], abs=1e-5)
        assert flat(theirs["keypoints"] or []) == pytest.approx(ours["keypoints"], abs=1e-5)


@pytest.mark.parametrize("task", SHAPED)
def test_hugging_face_makes_a_dataset_dict_of_it(sets: Sets, by_hugging_face: Read, task: str) -> None:
    made = sets[task][0]
    layout, found = by_hugging_face[task]
    annotations = shapes_of(made)
    assert {split: len(rows) for split, rows in found.items()} == {
        "train": layout.counts["train"],
        "validation": layout.counts["val"],
        "test": layout.counts["test"],
    }
    for split in SPLITS:
        for row in found["validation" if split == "val" else split]:
            objects, document = row["objects"], annotations[split, row["image_id"]].document()["objects"]
            assert row["image"] == [row["width"], row["height"]] == [labels.WIDTH, labels.HEIGHT]
            assert row["path"] == layout.pictures[f"{row['image_id']:08d}.jpg"].path
            assert objects["category"] == [one["class"] for one in document]
            assert flat(objects["bbox"]) == pytest.approx(flat([one["bbox"] for one in document]), abs=1e-6)
            if task == "segment" and row["image_id"] == 0:
                outer, hole = objects["segmentation"][0]
                assert (min(outer), max(outer), min(hole), max(hole)) == (20, 30, 24, 26)
            elif task in OWN:
                own = [one["polygon" if task == "segment" else OWN[task]] for one in document]
                assert flat(objects[OWN[task]]) == pytest.approx(flat(own), abs=1e-6)


def test_hugging_face_reads_the_class_of_each_picture(by_hugging_face: Read) -> None:
    layout, found = by_hugging_face["classify"]
    assert set(found) == {"train", "validation"}
    names = {row["path"]: layout.classes[row["label"]].name for rows in found.values() for row in rows}
    assert names == {"a/1.jpg": "cat", "A/1.jpg": "cat", "b/1.jpg": "고양이"}


def test_torchvision_numbers_classes_alike_in_every_split(by_trainer: Read) -> None:
    layout, found = by_trainer["classify"]
    assert [one["classes"] for one in found.values()] == [["Cat-2", "cat", "고양이"]] * 3
    assert [entry.name for entry in layout.classes] == ["Cat", "cat", "고양이"]
    numbers = {
        layout.pictures[name].path: layout.classes[number].name
        for one in found.values()
        for name, number in one["samples"]
    }
    assert numbers == {"a/1.jpg": "cat", "A/1.jpg": "cat", "b/1.jpg": "고양이"}
    assert [size for one in found.values() for size in one["sizes"]] == [[40, 20]] * 3
