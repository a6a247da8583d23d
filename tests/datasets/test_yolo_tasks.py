"""Labels of YOLO beyond boxes: outlines, keypoints and turned boxes, each read for the task that is wanted."""

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.formats.model import Annotation, Box, OrientedBox, Polygon, Pose
from tests.datasets.factories.sets import stage, yolo_files

YAML = b"names: [cat, dog]\ntrain: images/train\nval: images/val\n"
POSE = YAML + b"kpt_shape: [2, 3]\n"
TRIANGLE = b"1 .25 .25 .75 .25 .5 .75\n"
CORNERS = b"1 .25 .25 .75 .25 .75 .75 .25 .75\n"
POINTS = b"0 .5 .5 .5 .5 .25 .5 2 .9 .9 0\n"


def read(label, folder, task, *, yaml=YAML, lenient=False):
    """The analysis, and the annotation of the one image that has `label`; all labels are alike."""
    files = yolo_files(yaml=yaml, train=1, val=1)
    files["labels/train/0.txt"] = files["labels/val/0.txt"] = label
    found = []
    result = analyse(stage(files, folder), task=task, lenient=lenient, on_item=found.append)
    return result, found[0].annotation


@pytest.mark.parametrize("task", ["segment", None])
def test_outlines(tmp_path, task):
    found, annotation = read(TRIANGLE, tmp_path, task)
    assert (found.ok, found.task, found.boxes) == (True, "segment", 2)
    assert annotation == Annotation((Polygon(1, ((8.0, 6.0, 24.0, 6.0, 16.0, 18.0),)),))
    assert annotation.document()["objects"][0]["bbox"] == [8.0, 6.0, 16.0, 12.0]


def test_four_corners_are_a_turned_box_or_an_outline_as_it_is_wanted(tmp_path):
    corners = (8.0, 6.0, 24.0, 6.0, 24.0, 18.0, 8.0, 18.0)
    for task, expected in (
        ("obb", OrientedBox(1, corners)),
        (None, OrientedBox(1, corners)),
        ("segment", Polygon(1, (corners,))),
    ):
        found, annotation = read(CORNERS, tmp_path / str(task), task)
        assert (found.ok, annotation.objects) == (True, (expected,))


@pytest.mark.parametrize("task", ["pose", None])
def test_keypoints_of_three_values(tmp_path, task):
    found, annotation = read(POINTS, tmp_path, task, yaml=POSE)
    assert (found.ok, found.task) == (True, "pose")
    assert found.classes[0]["keypoints"] == ["1", "2"]
    assert annotation.objects == (Pose(0, 8.0, 6.0, 16.0, 12.0, (8.0, 12.0, 2.0, 0.0, 0.0, 0.0)),)


def test_keypoints_of_two_values_are_visible_unless_they_are_at_the_origin(tmp_path):
    yaml = YAML + b"kpt_shape: [2, 2]\nkpt_names: {0: [nose, tail]}\n"
    found, annotation = read(b"0 .5 .5 .5 .5 .25 .5 0 0\n", tmp_path, "pose", yaml=yaml)
    assert annotation.objects[0].points == (8.0, 12.0, 2.0, 0.0, 0.0, 0.0)
    assert [row.get("keypoints") for row in found.classes] == [["nose", "tail"], None]


@pytest.mark.parametrize(
    ("label", "wanted", "told", "yaml"),
    [
        (b"0 .5 .5 .5 .5\n", "segment", "detect", YAML),
        (b"0 .5 .5 .5 .5\n", "obb", "detect", YAML),
        (TRIANGLE, "obb", "segment", YAML),
        (TRIANGLE, "detect", "segment", YAML),
        (POINTS, "detect", "pose", POSE),
        # Of outlines or four corners there may be as many values.
        (POINTS, "segment", "pose", POSE),
        (b"0 .5 .5 .5 .5 .25 .5 .7 .7\n", "obb", "pose", YAML + b"kpt_shape: [2, 2]\n"),
    ],
)
def test_rows_of_another_task_are_one_error_and_boxes_when_lenient(tmp_path, label, wanted, told, yaml):
    found, _annotation = read(label, tmp_path / "a", wanted, yaml=yaml)
    (defect,) = [defect for defect in found.defects if defect.severity == "error"]
    assert (found.task, defect.code, defect.params) == (
        told,
        "yolo.task_rows",
        {"rows": 2, "task": told, "wanted": wanted},
    )

    found, annotation = read(label, tmp_path / "b", wanted, yaml=yaml, lenient=True)
    assert (found.ok, found.task) == (True, wanted)
    assert [type(shape) for shape in annotation.objects] == [Box]


def test_keypoints_need_to_be_counted_in_the_yaml(tmp_path):
    found, _annotation = read(b"0 .5 .5 .5 .5\n", tmp_path, "pose")
    assert [defect.code for defect in found.defects if defect.severity == "error"] == [
        "yolo.keypoints_unknown",
        "set.task",
    ]


@pytest.mark.parametrize(
    ("task", "label", "code", "yaml"),
    [
        pytest.param("segment", TRIANGLE + b"2 .1 .1 .9 .1 .5 .9\n", "yolo.class_range", YAML, id="bad-A01"),
        pytest.param("obb", CORNERS + b"0 .1 .1 .9 .1 .9 1.5 .1 .9\n", "yolo.coordinate_range", YAML, id="bad-A03"),
        pytest.param("segment", TRIANGLE + b"0 .1 .1 .9 nan .5 .9\n", "yolo.not_finite", YAML, id="bad-A04"),
        pytest.param("segment", TRIANGLE + b"0 .1 .1 .2 .2 .3 .3\n", "yolo.box_empty", YAML, id="bad-A05"),
        pytest.param("obb", CORNERS + b"0 .5 .5 .5 .5 .5 .5 .5 .5\n", "yolo.box_empty", YAML, id="bad-A05-obb"),
        pytest.param("segment", TRIANGLE + b"0 .1 .1 .2 .2\n", "yolo.task_rows", YAML, id="bad-A07-short"),
        pytest.param("segment", TRIANGLE + b"0 .1 .1 .2 .2 .3 .3 .4\n", "yolo.polygon_odd", YAML, id="bad-A07-odd"),
        pytest.param("pose", POINTS + b"0 .5 .5 .5 .5 .25 .5 2\n", "yolo.keypoint_count", POSE, id="bad-A20"),
        pytest.param("pose", POINTS + b"0 .5 .5 .5 .5 .2 .5 3 0 0 0\n", "yolo.visibility", POSE, id="bad-A20-visible"),
    ],
)
def test_bad_rows_of_each_task_are_named_by_line_and_left_out_when_lenient(tmp_path, task, label, code, yaml):
    found, annotation = read(label, tmp_path / "a", task, yaml=yaml)
    told = [(defect.code, defect.path, defect.line) for defect in found.defects if defect.severity == "error"]
    assert told[0] == (code, "labels/train/0.txt", 2)
    assert len(annotation.objects) == 1

    found, annotation = read(label, tmp_path / "b", task, yaml=yaml, lenient=True)
    assert found.ok
    assert len(annotation.objects) == 1 + (code == "yolo.task_rows")


def test_an_outline_that_crosses_itself_is_taken_with_a_warning(tmp_path):
    """bad-A08"""
    found, annotation = read(b"0 .1 .1 .9 .9 .9 .1 .1 .9\n", tmp_path, "segment")
    assert (found.ok, found.defect_counts["shape.crosses"]) == (True, 2)
    assert len(annotation.objects) == 1
