"""Folders of classes: which folder is the class, and when folders are no classes at all."""

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.formats.model import Annotation, ImageClass
from tests.datasets.factories.images import encoded
from tests.datasets.factories.sets import stage


def images(*paths):
    return {path: encoded(seed=seed) for seed, path in enumerate(paths)}


def analysed(files, folder, task="classify"):
    found = []
    result = analyse(stage(files, folder), task=task, on_item=found.append)
    return result, {item.path: (item.split, item.annotation) for item in found}


@pytest.mark.parametrize(
    ("prefix", "split"),
    [("", None), ("train/", "train"), ("set/", None), ("set/valid/", "val"), ("a/b/images/test/", "test")],
)
def test_the_folder_below_the_split_is_the_class(tmp_path, prefix, split):
    found, items = analysed(images(f"{prefix}cat/1.jpg", f"{prefix}cat/2.jpg", f"{prefix}dog/1.jpg"), tmp_path)
    assert (found.ok, found.format, found.task) == (True, "imagefolder", "classify")
    assert [(row["name"], row["boxes"], row["images"]) for row in found.classes] == [("cat", 2, 2), ("dog", 1, 1)]
    assert items[f"{prefix}dog/1.jpg"] == (split, Annotation((ImageClass(1),)))


def test_classes_txt_gives_the_order_and_classes_without_images(tmp_path):
    files = images("train/cat/1.jpg", "val/dog/1.jpg") | {"classes.txt": b"dog\nbird\ncat\n"}
    found, _items = analysed(files, tmp_path)
    assert [row["name"] for row in found.classes] == ["dog", "bird", "cat"]
    assert found.defect_counts == {"class.unused": 1}


def test_an_image_outside_the_folders_of_classes_is_not_labelled(tmp_path):
    files = images(*(f"train/{name}/{number}.jpg" for name in ("cat", "dog") for number in range(6)), "train/x.jpg")
    found, items = analysed(files, tmp_path)
    assert (items["train/x.jpg"], found.unlabelled) == (("train", None), 1)
    assert found.defect_counts == {"imagefolder.no_class": 1}


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_folders_are_no_classes_where_boxes_are_wanted(tmp_path, task):
    found, items = analysed(images("camera 1/1.jpg", "camera 2/2.jpg"), tmp_path, task)
    assert (found.ok, found.format, found.labelled) == (True, "images", 0)
    assert set(items.values()) == {(None, None)}


def test_labels_of_objects_are_refused_where_classes_of_images_are_wanted(tmp_path):
    files = images("images/train/1.jpg", "images/val/2.jpg")
    files |= {"labels/train/1.txt": b"0 .5 .5 .1 .1\n", "labels/val/2.txt": b"0 .5 .5 .1 .1\n"}
    found, _items = analysed(files, tmp_path)
    assert (found.ok, found.task) == (False, "detect")
    assert found.defects[0].code == "set.task"


def test_a_folder_with_a_name_that_a_spreadsheet_runs_is_refused(tmp_path):
    found, _items = analysed(images("train/=1+1/1.jpg", "train/dog/1.jpg"), tmp_path)
    assert [(defect.code, defect.params) for defect in found.defects if defect.severity == "error"] == [
        ("class.name", {"name": "=1+1"})
    ]
