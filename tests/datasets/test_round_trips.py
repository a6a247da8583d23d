"""From one format into another and back: equal in the model, and what a format cannot hold is listed as a loss."""

import itertools

import pytest

from apps.datasets.formats.losses import LOSSES
from apps.datasets.formats.model import TASKS, Annotation, Box, ImageClass, Polygon
from apps.datasets.formats.registry import FORMATS
from apps.datasets.formats.writing import WritableItem
from tests.datasets.factories import labels

HOLDING = [(found.name, task) for found in FORMATS.values() for task in found.holds]
PAIRS = [
    (first, second, task)
    for task in TASKS
    for first, second in itertools.permutations([name for name, held in HOLDING if held == task], 2)
]
#: What writing a set that a format holds may still cost.
HARMLESS = {"colors", "skeleton", "keypoint_names", "class_renamed"}


@pytest.mark.parametrize(("name", "task"), HOLDING)
def test_a_set_is_read_as_it_was_written(tmp_path, name, task):
    made = labels.make_set(task)

    written = labels.write(name, made, tmp_path, task)

    items, parsed, log = labels.read(tmp_path, task)
    assert log.errors == 0, log.defects
    assert parsed.task == task
    assert parsed.format == (name if (name, task) != ("yolo", "classify") else "imagefolder")
    assert (written.images, written.objects) == (
        len(made.items),
        sum(len(item.annotation.objects) for item in made.items if item.annotation is not None),
    )
    assert set(written.losses.counts) <= HARMLESS
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(made)


@pytest.mark.parametrize(("first", "second", "task"), PAIRS)
def test_there_and_back_is_the_same_set(tmp_path, first, second, task):
    labels.write(first, labels.make_set(task, seed=1), tmp_path / "a", task)
    items, parsed, _log = labels.read(tmp_path / "a", task)
    here = labels.again(items, parsed)

    there = labels.write(second, here, tmp_path / "b", task)
    items, parsed, log = labels.read(tmp_path / "b", task)
    assert (log.errors, set(there.losses.counts) - HARMLESS) == (0, set())
    back = labels.write(first, labels.again(items, parsed), tmp_path / "c", task)
    items, parsed, log = labels.read(tmp_path / "c", task)

    assert (log.errors, set(back.losses.counts) - HARMLESS) == (0, set())
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(here)


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb", "classify"])
def test_dice_holds_the_class_table_and_everything_noted(tmp_path, task):
    made = labels.make_set(task)
    noted = Annotation.of(
        shape._replace(attributes=(("iscrowd", True), ("note", "뒤"))) for shape in made.items[2].annotation.objects
    )
    made.items[2] = WritableItem("a.jpg", None, labels.WIDTH, labels.HEIGHT, noted, made.items[2].open)

    written = labels.write("dice", made, tmp_path, task)

    items, parsed, log = labels.read(tmp_path, task)
    assert (log.errors, written.losses.as_list(), parsed.table) == (0, [], made.classes)
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(made)


@pytest.mark.parametrize(
    ("name", "task", "loss"),
    [
        ("pascal_voc", "segment", "outline_to_box"),
        ("pascal_voc", "pose", "keypoints_dropped"),
        ("pascal_voc", "obb", "turned_to_box"),
    ],
)
def test_what_has_no_place_becomes_the_box_around_it(tmp_path, name, task, loss):
    made = labels.make_set(task)

    written = labels.write(name, made, tmp_path, task)

    items, parsed, _log = labels.read(tmp_path, "detect")
    objects = sum(len(item.annotation.objects) for item in made.items if item.annotation is not None)
    assert written.losses.counts[loss] == objects
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(labels.as_boxes(made))


def test_turned_boxes_become_outlines_in_coco(tmp_path):
    made = labels.make_set("obb")
    written = labels.write("coco", made, tmp_path, "segment")
    items, _parsed, _log = labels.read(tmp_path, "segment")
    shapes = [shape for item in items if item.annotation for shape in item.annotation.objects]
    assert len(shapes) == written.losses.counts["turned_to_outline"] > 0
    assert all(isinstance(shape, Polygon) and len(shape.parts[0]) == 8 for shape in shapes)


def test_boxes_become_outlines_and_turned_boxes_where_a_task_needs_them(tmp_path):
    made = labels.make_set("detect")
    for task, loss in (("segment", "box_to_outline"), ("obb", "box_to_turned"), ("pose", "keypoints_missing")):
        written = labels.write("yolo", made, tmp_path / task, task)
        assert written.losses.counts[loss] == written.objects > 0
        items, parsed, log = labels.read(tmp_path / task, "detect" if task == "pose" else task)
        assert log.errors == 0
        read = labels.again(items, parsed)
        assert labels.comparable(labels.as_boxes(read)) == labels.comparable(made)


def test_a_mask_becomes_one_outline_around_its_pixels(tmp_path):
    made = labels.make_set("segment", images=1)
    made.items[0] = WritableItem(
        "a.jpg", "train", labels.WIDTH, labels.HEIGHT, Annotation.of([labels.square_mask()]), made.items[0].open
    )
    coco = labels.write("coco", made, tmp_path / "coco", "segment")
    items, parsed, _log = labels.read(tmp_path / "coco", "segment")
    assert coco.losses.as_list() == []
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(made)

    yolo = labels.write("yolo", made, tmp_path / "yolo", "segment")
    items, parsed, log = labels.read(tmp_path / "yolo", "segment")
    assert {"mask_to_outline", "parts_joined"} <= set(yolo.losses.counts)
    (shape,) = items[0].annotation.objects
    # The square's corners, out to the hole's and back.
    assert shape.parts[0][:8] == pytest.approx((20, 20, 30, 20, 30, 30, 20, 30), abs=1e-4)
    assert len(shape.parts[0]) == 2 * (4 + 1 + 4 + 1)
    assert log.errors == 0


def test_images_go_into_the_folder_of_their_most_frequent_class(tmp_path):
    made = labels.make_set("detect", images=2)
    boxes = [Box(1, 1, 1, 5, 5), Box(1, 9, 9, 5, 5), Box(0, 2, 2, 3, 3)]
    made.items[0] = WritableItem("a.jpg", "val", labels.WIDTH, labels.HEIGHT, Annotation.of(boxes), made.items[0].open)
    made.items[1] = WritableItem("b.jpg", None, labels.WIDTH, labels.HEIGHT, Annotation(), made.items[1].open)
    written = labels.write("imagefolder", made, tmp_path, "classify")
    assert (tmp_path / "val/dog/a.jpg").is_file()
    assert (written.images, written.losses.counts["objects_to_class"], written.losses.counts["background"]) == (
        1,
        1,
        1,
    )


def test_two_images_of_one_name_both_arrive(tmp_path):
    made = labels.make_set("detect", images=2)
    made.items = [
        WritableItem(path, "train", item.width, item.height, item.annotation, item.open)
        for path, item in zip(("train/images/a.jpg", "images/a.png"), made.items, strict=True)
    ]
    for name in ("yolo", "coco", "pascal_voc", "dice"):
        written = labels.write(name, made, tmp_path / name, "detect")
        items, _parsed, _log = labels.read(tmp_path / name, "detect")
        assert (len(items), written.losses.counts["renamed"]) == (2, 1)


def test_a_class_of_a_whole_image_is_a_box_around_it_in_coco(tmp_path):
    made = labels.make_set("classify", images=3)
    written = labels.write("coco", made, tmp_path, "detect")
    items, _parsed, _log = labels.read(tmp_path, "detect")
    assert written.losses.counts["class_to_box"] == 3
    assert {shape[1:5] for item in items for shape in item.annotation.objects} == {(0, 0, 96, 64)}
    assert not any(isinstance(shape, ImageClass) for item in items for shape in item.annotation.objects)


def test_every_loss_has_its_words(tmp_path):
    seen = set()
    for task, name in itertools.product(TASKS, FORMATS):
        for target in TASKS:
            made = labels.make_set(task)
            seen |= set(labels.write(name, made, tmp_path / f"{task}-{name}-{target}", target).losses.counts)
    assert seen <= set(LOSSES)
    assert len(seen) > 10
