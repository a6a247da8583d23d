"""The shapes that adapters give a dataset, without the libraries that read them."""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer import Dataset, Failure
from modelyard_trainer.adapters import Examples, Layout, lay_out_hugging_face, lay_out_image_folder, lay_out_yolo
from modelyard_trainer.adapters.pytorch import folder_names
from modelyard_trainer.dataset import DatasetClass

from tests.trainers.dataset_support import HEIGHT, WIDTH, item, make_dataset, shown, write_dataset

BOX = [10.0, 5.0, 20.0, 10.0]
BOTH = ("train", "val")
PERSON = [{"id": 7, "name": "person", "keypoints": ["head", "hand"]}]


def rows(layout: Layout, split: str = "train") -> list[list[float]]:
    """The values of every row of a split, files in order."""
    files = sorted((layout.folder / "labels" / split).iterdir())
    return [[float(value) for value in row.split()] for file in files for row in file.read_text().splitlines()]


def metadata(layout: Layout, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (layout.folder / split / "metadata.jsonl").read_text().splitlines()]


def labelled(annotation: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """A picture of each split that has this annotation."""
    entry = {"annotations": [{"class": 7, "bbox": BOX, **annotation}], **more}
    return [{"path": f"{split}.jpg", "split": split, **entry} for split in BOTH]


def yolo(tmp_path: Path, items: list[dict[str, Any]], task: str, of: str | None = None, **facts: Any) -> Layout:
    dataset = make_dataset(tmp_path / "given", items, task=of or task, **facts)
    return lay_out_yolo(dataset, tmp_path / "work", task=task)


SHAPES: dict[str, Callable[[Dataset, Path], object]] = {
    "yolo": lambda dataset, folder: lay_out_yolo(dataset, folder, task="detect"),
    "hugging face": lay_out_hugging_face,
    "image folder": lay_out_image_folder,
    "examples": lambda dataset, _: Examples(dataset, "train"),
}
OF_BOXES = [name for name in SHAPES if name != "image folder"]


# Links


def test_pictures_are_linked_under_numbers_whatever_they_are_called(tmp_path: Path) -> None:
    items = [
        item("a.jpg", "train", (7, BOX)),
        item("a.JPG", "train", (3, BOX)),
        item("images/x/images/a.jpg", "val", (3, BOX)),
        item("photo.jfif", "val"),
        item("unused.jpg", "test"),
    ]
    layout = lay_out_yolo(make_dataset(tmp_path / "images/given", items), tmp_path / "images/work", task="detect")
    assert layout.counts == {"train": 2, "val": 2}
    assert [(name, picture.path) for name, picture in layout.pictures.items()] == [
        ("00000000.jpg", "a.jpg"),
        ("00000001.jpg", "a.JPG"),
        ("00000002.jpg", "images/x/images/a.jpg"),
        ("00000003.jpg", "photo.jfif"),
    ]
    links = layout.folder / "images"
    assert os.readlink(links / "val/00000003.jpg") == str(tmp_path / "images/given/files/photo.jfif")
    assert [row[0] for row in rows(layout)] == [0, 1]
    assert (layout.folder / "labels/val/00000003.txt").read_text() == ""


@pytest.mark.parametrize(
    "path",
    [
        "../../escaped.jpg",
        "/tmp/escaped.jpg",
        "a/../../../escaped.jpg",
        "a//b.jpg",
        "new\nline.jpg",
        ".",
        "",
        "a\ud800",
        5,
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_path_that_leads_out_of_the_dataset_is_bad_data(tmp_path: Path, shape: str, path: Any) -> None:
    task = "classify" if shape == "image folder" else "detect"
    good = shown("a.jpg", "train", 7) if task == "classify" else item("a.jpg", "train", (7, BOX))
    given = [good, {**good, "path": "b.jpg", "split": "val"}]
    SHAPES[shape](make_dataset(tmp_path / "good", given, task=task), tmp_path / "shape")

    facts = {"width": WIDTH, "height": HEIGHT, "sha256": "0", "size": 1}
    lines = [json.dumps({**good, "path": path, **facts})]
    dataset = write_dataset(tmp_path / "bad", lines, task=task, classes=[{"id": 7, "name": "cat"}])
    with pytest.raises(Failure, match=r"items\.jsonl line 1") as caught:
        SHAPES[shape](dataset, tmp_path / "other")
    assert caught.value.code == "bad_data"


@pytest.mark.parametrize("size", [{"width": None}, {"height": 0}, {"width": "40"}, {"height": -1}])
@pytest.mark.parametrize("shape", OF_BOXES)
def test_a_picture_of_no_known_size_is_bad_data(tmp_path: Path, shape: str, size: dict[str, Any]) -> None:
    dataset = make_dataset(tmp_path / "given", labelled({}, **size))
    with pytest.raises(Failure, match="how large this picture is"):
        SHAPES[shape](dataset, tmp_path / "work")


def test_a_picture_whose_file_is_gone_is_bad_data(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "given", labelled({}))
    (tmp_path / "given/files/val.jpg").unlink()
    with pytest.raises(Failure, match=r"val\.jpg: the file"):
        lay_out_yolo(dataset, tmp_path / "work", task="detect")


def test_a_picture_of_another_format_is_converted_or_refused(tmp_path: Path) -> None:
    items = [*labelled({}), item("other/a.gif", "train", (7, BOX))]
    dataset = make_dataset(tmp_path / "given", items)
    with pytest.raises(Failure, match=r"a\.gif: pictures with this ending"):
        lay_out_hugging_face(dataset, tmp_path / "refused")
    layout = lay_out_hugging_face(dataset, tmp_path / "work", convert=shutil.copyfile)
    converted = layout.folder / "train/00000002.png"
    assert converted.read_bytes() == (tmp_path / "given/files/other/a.gif").read_bytes() and not converted.is_symlink()


# Tasks


@pytest.mark.parametrize(
    ("shape", "task"),
    [("image folder", "detect"), ("yolo", "classify"), ("examples", "classify"), ("yolo", "tabular")],
)
def test_a_task_that_cannot_be_given_the_shape_is_named(tmp_path: Path, shape: str, task: str) -> None:
    dataset = make_dataset(tmp_path / "given", labelled({}), task=task)
    with pytest.raises(Failure, match=f"a dataset of the task '{task}'") as caught:
        SHAPES[shape](dataset, tmp_path / "work")
    assert (caught.value.code, caught.value.params["dataset_task"]) == ("bad_data", task)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("of", "task"), [("detect", "segment"), ("segment", "pose"), ("pose", "obb")])
def test_labels_of_another_task_do_not_pass_for_its_own(tmp_path: Path, of: str, task: str) -> None:
    with pytest.raises(Failure, match=f"no labels for '{task}'") as caught:
        yolo(tmp_path, labelled({}), task, of)
    assert caught.value.hint == f"Choose a dataset of the task {task}."


def test_there_are_no_labels_of_yolo_for_whole_pictures(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no labels of YOLO for the task 'classify'"):
        yolo(tmp_path, [shown("a.jpg", "train", 7)], "classify")


@pytest.mark.parametrize("of", ["segment", "pose", "obb"])
def test_whatever_has_a_shape_has_a_box(tmp_path: Path, of: str) -> None:
    layout = yolo(tmp_path, labelled({"polygon": [[0, 0, 9, 0, 9, 9]]}), "detect", of)
    assert rows(layout) == [[0, 0.5, 0.5, 0.5, 0.5]] and layout.stand_ins == 0


# Labels


def test_boxes_are_cut_at_the_edge_and_empty_ones_counted(tmp_path: Path) -> None:
    items = labelled({})
    items[0] = item("train.jpg", "train", (3, [-10, -10, 20, 20]), (3, [100, 0, 5, 5]), (3, [5, 5, 0, 5]))
    dataset = make_dataset(tmp_path / "given", items)
    layout = lay_out_yolo(dataset, tmp_path / "yolo", task="detect")
    assert rows(layout) == [[1, 0.125, 0.25, 0.25, 0.5]] and layout.left_out == 2
    made = lay_out_hugging_face(dataset, tmp_path / "hugging face")
    (row,) = metadata(made, "train")
    assert row["objects"] == {"id": [0], "bbox": [[0, 0, 10, 10]], "area": [100], "category": [1]}
    assert made.left_out == 2
    examples = Examples(dataset, "train")
    assert (examples[0].boxes, examples[0].labels, examples.left_out) == ([(0, 0, 10, 10)], [1], 2)


def test_parts_of_an_outline_are_one_for_yolo_and_apart_for_hugging_face(tmp_path: Path) -> None:
    parts = [[0, 0, 10, 0, 10, 10], [20, 0, 50, 0, 30, 10]]
    dataset = make_dataset(tmp_path / "given", labelled({"polygon": parts}), task="segment")
    layout = lay_out_yolo(dataset, tmp_path / "yolo", task="segment")
    assert rows(layout) == [
        [0, 0, 0, 0.25, 0, 0.25, 0.5, 0, 0, 0.5, 0, 1, 0, 0.75, 0.5, 0.5, 0],
    ], "out to the second part, which is cut, and back"
    made = lay_out_hugging_face(dataset, tmp_path / "hugging face")
    assert metadata(made, "train")[0]["objects"]["segmentation"] == [[parts[0], [20, 0, 40, 0, 30, 10]]]


def test_a_mask_becomes_its_outline(tmp_path: Path) -> None:
    counts = [10 * HEIGHT + 5]
    for _ in range(19):
        counts += [10, HEIGHT - 10]
    counts += [10, 5 + 10 * HEIGHT]
    layout = yolo(tmp_path, labelled({"mask": {"size": [HEIGHT, WIDTH], "counts": counts}}), "segment")
    (row,) = rows(layout)
    corners = sorted(zip(row[1::2], row[2::2], strict=True))
    assert corners == [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)] and layout.stand_ins == 0


def test_a_box_stands_in_where_an_object_has_no_shape_of_the_task(tmp_path: Path) -> None:
    expected = [0, 0.25, 0.25, 0.75, 0.25, 0.75, 0.75, 0.25, 0.75]
    for task in ("segment", "obb"):
        layout = yolo(tmp_path / task, labelled({}), task)
        assert rows(layout) == [expected] and layout.stand_ins == 2


def test_keypoints_that_are_outside_or_not_labelled_are_zero_and_missing_ones_too(tmp_path: Path) -> None:
    items = [
        {**labelled({"keypoints": [10, 5, 2, 50, 5, 2]})[0], "path": "a.jpg"},
        {**labelled({"keypoints": [10, 5, 1]})[0], "path": "b.jpg"},
        *labelled({}),
    ]
    layout = yolo(tmp_path, items, "pose", classes=PERSON)
    assert [row[5:] for row in rows(layout)] == [[0.25, 0.25, 2, 0, 0, 0], [0.25, 0.25, 1, 0, 0, 0], [0] * 6]
    description = json.loads((layout.folder / "data.yaml").read_text())
    assert (description["kpt_shape"], description["kpt_names"]) == ([2, 3], {"0": ["head", "hand"]})
    assert layout.stand_ins == 2


@pytest.mark.parametrize(
    ("task", "annotation", "said"),
    [
        ("detect", {"bbox": [0, 0, math.inf, 9]}, "finite"),
        ("detect", {"bbox": [0, 0, 9]}, "four finite numbers"),
        ("detect", {"bbox": None}, "cannot be understood"),
        ("detect", {"bbox": [0, 0, 10**400, 9]}, "cannot be understood"),
        ("detect", {"class": 9}, "cannot be understood"),
        ("detect", {"class": [7]}, "cannot be understood"),
        ("segment", {"polygon": [[0, 0, 9, 9]]}, "three corners"),
        ("segment", {"polygon": [[0, 0, 9, 9, 5, math.nan]]}, "finite"),
        ("segment", {"polygon": {"a": 1}}, "cannot be understood"),
        ("segment", {"polygon": ["abcdef"]}, "cannot be understood"),
        ("segment", {"mask": {"size": [HEIGHT, WIDTH], "counts": [1, 2]}}, "do not fill the picture"),
        ("segment", {"mask": {"size": [1, 10**12], "counts": [0, 10**12]}}, "do not fill the picture"),
        ("segment", {"mask": {"size": [HEIGHT, WIDTH], "counts": [-1, WIDTH * HEIGHT + 1]}}, "do not fill"),
        ("segment", {"mask": {"counts": "abc"}}, "cannot be understood"),
        ("obb", {"corners": [0, 0, 9, 0, 9, 9]}, "four corners"),
        ("pose", {"keypoints": [1, 2]}, "keypoints are named"),
        ("pose", {"keypoints": [1, 2, 2] * 3}, "keypoints are named"),
    ],
)
@pytest.mark.parametrize("shape", ["yolo", "hugging face"])
def test_an_annotation_that_cannot_be_understood_is_bad_data(
    tmp_path: Path, shape: str, task: str, annotation: dict[str, Any], said: str
) -> None:
    def laid_out(items: list[dict[str, Any]], name: str) -> Layout:
        dataset = make_dataset(tmp_path / name, items, task=task, classes=PERSON)
        if shape == "yolo":
            return lay_out_yolo(dataset, tmp_path / f"{name}.out", task=task)
        return lay_out_hugging_face(dataset, tmp_path / f"{name}.out")

    assert laid_out(labelled({}), "good").counts["train"] == 1
    with pytest.raises(Failure, match=said) as caught:
        laid_out(labelled(annotation), "bad")
    assert caught.value.code == "bad_data" and caught.value.message.startswith("train.jpg: ")


def test_poses_without_named_keypoints_are_bad_data(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="names keypoints"):
        yolo(tmp_path, labelled({"keypoints": [1, 2, 2]}), "pose")


def test_names_of_classes_stay_names_in_the_description(tmp_path: Path) -> None:
    names = ['quote " and: {brace}', "line\nbreak\x00", "emoji 🐈", "half \ud800", "고양이"]
    classes = [{"id": number + 7, "name": name} for number, name in enumerate(names)]
    layout = yolo(tmp_path, labelled({}), "detect", classes=classes)
    written = json.loads((layout.folder / "data.yaml").read_text())["names"]
    assert list(written.values()) == [names[0], "line�break�", names[2], "half �", names[4]]
    assert [entry.name for entry in layout.classes] == names


# Folders of classes


def test_every_class_has_a_folder_in_every_split(tmp_path: Path) -> None:
    classes = [{"id": 7, "name": "zebra"}, {"id": 3, "name": "ape"}]
    items = [
        shown("x/a.jpg", "train", 7),
        shown("y/a.jpg", "train", 7, 3),
        shown("b.jpg", "val", 3),
        shown("c.jpg", "val"),
    ]
    layout = lay_out_image_folder(
        make_dataset(tmp_path / "given", items, task="classify", classes=classes), tmp_path / "work"
    )
    found = {str(path.relative_to(layout.folder)) for path in layout.folder.rglob("*") if not path.is_dir()}
    assert found == {"train/zebra/00000000.jpg", "train/zebra/00000001.jpg", "val/ape/00000002.jpg"}
    for split in ("train", "val", "test"):
        assert sorted(path.name for path in (layout.folder / split).iterdir()) == ["ape", "zebra"]
    assert [entry.id for entry in layout.classes] == [3, 7], "as torchvision numbers them: by name"
    assert (layout.left_out, layout.unlabelled, layout.counts) == (1, 1, {"train": 2, "val": 1, "test": 0})


def test_folders_of_classes_stay_apart_and_inside() -> None:
    names = [
        "cat",
        "Cat",
        "CAT-2",
        "..",
        "../cat",
        "/etc",
        "a\nb",
        "a\x00b",
        "",
        ".hidden",
        "é",
        "e\u0301",
        "x" * 300,
        "half \ud800",
    ]
    folders = folder_names([DatasetClass(number, name) for number, name in enumerate(names)])
    assert folders[:10] == ["cat", "Cat-2", "CAT-2-2", "_", "_cat", "_etc", "a_b", "a_b-2", "_-2", "hidden"]
    assert folders[10:12] == ["é", "e\u0301-2"] and folders[13] == "half _"
    assert len({name.casefold() for name in folders}) == len(names)
    assert all(len(name.encode()) <= 210 and Path(name).name == name for name in folders)


# Splits


@pytest.mark.parametrize("shape", ["hugging face", "image folder", "examples"])
def test_a_dataset_without_training_pictures_is_bad_data(tmp_path: Path, shape: str) -> None:
    task = "classify" if shape == "image folder" else "detect"
    one = shown("a.jpg", "val", 7) if task == "classify" else item("a.jpg", "val", (7, BOX))
    dataset = make_dataset(tmp_path / "given", [one], task=task)
    with pytest.raises(Failure, match="'train'") as caught:
        SHAPES[shape](dataset, tmp_path / "work")
    assert caught.value.code == "bad_data"


def test_a_split_without_pictures_is_not_there_for_hugging_face(tmp_path: Path) -> None:
    layout = lay_out_hugging_face(make_dataset(tmp_path / "given", labelled({})), tmp_path / "work")
    assert sorted(path.name for path in layout.folder.iterdir()) == ["train", "validation"]


def test_rows_with_objects_come_first_and_a_split_without_any_is_bad_data(tmp_path: Path) -> None:
    items = [item("a.jpg", "train"), item("b.jpg", "train", (7, BOX))]
    layout = lay_out_hugging_face(make_dataset(tmp_path / "given", items), tmp_path / "work")
    assert [row["path"] for row in metadata(layout, "train")] == ["b.jpg", "a.jpg"]
    empty = make_dataset(tmp_path / "empty", [*items, item("c.jpg", "test")])
    with pytest.raises(Failure, match="no test picture has a label"):
        lay_out_hugging_face(empty, tmp_path / "other")
    assert lay_out_hugging_face(empty, tmp_path / "third", splits=BOTH).counts == {"train": 2, "val": 0}


def test_a_sequence_of_examples_is_indexed_like_a_list(tmp_path: Path) -> None:
    items = [item("a.jpg", "train", (7, BOX), (3, BOX)), item("b.jpg", "train"), item("c.jpg", "val", (7, BOX))]
    examples = Examples(make_dataset(tmp_path / "given", items), "train")
    assert len(examples) == 2 and [example.file.name for example in examples] == ["a.jpg", "b.jpg"]
    assert (examples[0].labels, examples[-1].boxes, len(examples[:5])) == ([0, 1], [], 2)
    with pytest.raises(IndexError):
        examples[2]
