"""Every YOLO layout in use is understood, every bad row is named, and what is written can be read again."""

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.datasets.archives import walk
from apps.datasets.defects import BadInput, DefectLog
from apps.datasets.formats import plain_yaml
from apps.datasets.formats.model import Annotation, Box
from apps.datasets.formats.yolo import RowParser, WritableItem, YoloLimits, YoloSet, write_yolo
from apps.datasets.formats.yolo.layout import Tree
from tests.datasets.factories.images import encoded, oriented_jpeg
from tests.datasets.factories.sets import ROW, analysed, stage, yolo_files

A, B, C = encoded(seed=1), encoded(seed=2), encoded(seed=3)
NAMES = b"names: [cat, dog]\nnc: 2\n"

LAYOUTS = {
    "images-labels-split": {
        "images/train/a.jpg": A,
        "labels/train/a.txt": ROW,
        "images/val/b.jpg": B,
        "labels/val/b.txt": ROW,
        "data.yaml": NAMES + b"path: .\ntrain: images/train\nval: images/val\n",
    },
    "split-images-labels": {
        "train/images/a.jpg": A,
        "train/labels/a.txt": ROW,
        "valid/images/b.jpg": B,
        "valid/labels/b.txt": ROW,
        "data.yaml": NAMES + b"train: ../train/images\nval: ../valid/images\ntest: ../test/images\n",
    },
    "absolute-path-of-another-machine": {
        "set/train/images/a.jpg": A,
        "set/train/labels/a.txt": ROW,
        "set/val/images/b.jpg": B,
        "set/val/labels/b.txt": ROW,
        "set/data.yaml": NAMES
        + b"path: /home/kim/set\ntrain: C:\\data\\set\\train\\images\nval: /mnt/set/val/images\n",
    },
    "lists-of-paths": {
        "images/a.jpg": A,
        "labels/a.txt": ROW,
        "images/b.jpg": B,
        "labels/b.txt": ROW,
        "lists/train.txt": b"/home/kim/set/images/a.jpg\n",
        "lists/val.txt": b"./images/b.jpg\r\n",
        "data.yaml": NAMES + b"train: lists/train.txt\nval: [lists/val.txt]\n",
    },
    "list-of-folders": {
        "one/images/a.jpg": A,
        "one/labels/a.txt": ROW,
        "two/images/b.jpg": B,
        "two/labels/b.txt": ROW,
        "data.yaml": b"names: {0: cat, 1: dog}\ntrain:\n  - one/images\nval:\n  - two/images\n",
    },
    "lists-without-yaml": {
        "a.jpg": A,
        "a.txt": ROW,
        "b.jpg": B,
        "b.txt": ROW,
        "classes.txt": b"cat\ndog\n",
        "train.txt": b"data/a.jpg\n",
        "val.txt": b"data/b.jpg\n",
    },
    "folders-without-yaml": {
        "train/a.jpg": A,
        "train/a.txt": ROW,
        "validation/b.jpg": B,
        "validation/b.txt": ROW,
        "obj.names": b"cat\ndog\n",
    },
    "labels-at-the-top": {
        "train/a.jpg": A,
        "labels/train/a.txt": ROW,
        "val/b.jpg": B,
        "labels/val/b.txt": ROW,
        "labels/classes.txt": b"cat\r\ndog\r\n",
    },
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout_gives_the_same_set(tmp_path, files):
    found = analysed(files, tmp_path)

    assert found.errors == 0, found.defects
    assert (found.format, found.task, found.images, found.labelled, found.boxes) == ("yolo", "detect", 2, 2, 2)
    assert {split: count.images for split, count in found.splits.items()} == {"train": 1, "val": 1}
    assert [entry["name"] for entry in found.classes] == ["cat", "dog"]
    assert found.preview[0]["objects"] == [{"class": 0, "bbox": [12.0, 9.0, 8.0, 6.0]}]


def test_a_flat_set_without_class_names_is_taken_with_numbers(tmp_path):
    found = analysed({"a.jpg": A, "a.txt": b"2 .5 .5 .1 .1\n", "b.jpg": B, "b.txt": b""}, tmp_path)
    assert found.ok
    assert [entry["name"] for entry in found.classes] == ["0", "1", "2"]
    assert (found.splits[""].images, found.background, found.unlabelled) == (2, 1, 0)
    assert found.defect_counts["yolo.classes_inferred"] == 1


def test_boxes_are_in_pixels_of_the_upright_picture(tmp_path):
    found = analysed({"a.jpg": oriented_jpeg(6, width=40, height=20), "a.txt": b"0 0.5 0.25 1 0.5\n"}, tmp_path)
    assert found.preview[0]["objects"] == [{"class": 0, "bbox": [0.0, 0.0, 20.0, 20.0]}]


def test_words_that_yaml_takes_for_other_things_stay_class_names(tmp_path):
    files = yolo_files(yaml=b"names: [no, 1.0]\ntrain: images/train\nval: images/val\n")
    assert [entry["name"] for entry in analysed(files, tmp_path).classes] == ["no", "1.0"]


@pytest.mark.parametrize(
    ("rows", "task"),
    [
        (b"0 .1 .1 .9 .1 .5 .9\n0 .1 .1 .9 .1 .5 .9 .4 .4\n", "segment"),
        (b"0 .1 .1 .9 .1 .9 .9 .1 .9\n", "obb"),
    ],
)
def test_rows_of_another_task_are_one_defect_and_become_boxes_when_lenient(tmp_path, rows, task):
    strict = analysed(yolo_files(rows), tmp_path / "strict")
    assert not strict.ok
    (defect,) = [defect for defect in strict.defects if defect.code == "yolo.task_rows"]
    assert (defect.path, defect.line, defect.params["task"]) == ("labels/train/0.txt", 1, task)
    assert (strict.task, defect.params["rows"]) == (task, rows.count(b"\n"))

    lenient = analysed(yolo_files(rows), tmp_path / "lenient", lenient=True)
    assert lenient.ok
    assert (lenient.task, lenient.defect_counts["yolo.task_rows"]) == ("detect", 1)
    first = next(item for item in lenient.preview if item["path"] == "images/train/0.jpg")
    assert first["objects"][0]["bbox"] == pytest.approx([3.2, 2.4, 25.6, 19.2])


def test_pose_rows_are_told_by_the_keypoint_shape(tmp_path):
    yaml = b"kpt_shape: [1, 3]\nnames: [a, b]\ntrain: images/train\nval: images/val\n"
    found = analysed(yolo_files(b"0 .5 .5 .2 .2 .5 .5 1\n", yaml=yaml), tmp_path)
    assert (found.task, found.ok) == ("pose", False)


def test_the_lenient_check_leaves_bad_rows_out(tmp_path):
    files = yolo_files(b"0 .5 .5 .2 .2\n7 .5 .5 .2 .2\nnonsense\n0 .5 .5 .2 nan\n1.0 .5 .5 .1 .1\n")
    strict, lenient = analysed(files, tmp_path / "a"), analysed(files, tmp_path / "b", lenient=True)
    assert strict.errors == 4
    assert lenient.ok
    assert lenient.splits["train"].boxes == 3


def parse(text: str, *, classes: int | None = 3, lenient: bool = False):
    log = DefectLog(lenient=lenient)
    return RowParser(log, classes=classes).parse(text, "a.txt"), log


def test_every_line_end_and_space_is_read():
    rows, log = parse("0 0.5 0.5 0.2 0.2\r\n\r\n1\t0.5\t0.5\t0.4\t0.4\r\n  2 .5 .5 1 1")
    assert [row[0] for row in rows] == [0, 1, 2]
    assert log.defects == []


def test_rounding_at_the_border_is_mended_quietly_and_more_is_reported():
    rows, log = parse("0 0.1 0.5 0.2001 0.2\n")
    assert (rows[0][1], log.defects) == (0.0, [])
    rows, log = parse("0 0.1 0.5 0.4 0.2\n")
    assert (rows[0][1], [defect.code for defect in log.defects]) == (0.0, ["yolo.box_clipped"])


@pytest.mark.parametrize("row", ["١ .5 .5 .1 .1", "0 1_0 .5 .1 .1", "0 .5 ٠.٥ .1 .1", "0x1 .5 .5 .1 .1"])
def test_numbers_that_only_one_language_reads_are_refused(row):
    rows, log = parse(row)
    assert rows == []
    assert [defect.code for defect in log.defects] == ["yolo.not_a_number"]


FRACTION = st.floats(-0.5, 1.5) | st.sampled_from([math.nan, math.inf, -0.0, 1e-320, 1.0])


@given(st.lists(st.tuples(st.integers(-1, 4), FRACTION, FRACTION, FRACTION, FRACTION), max_size=8))
def test_every_row_is_a_good_box_inside_the_image_or_a_defect_with_its_line(rows):
    edges, log = parse("".join(" ".join(map(repr, row)) + "\n" for row in rows))

    for class_id, left, top, right, bottom in edges:
        assert 0 <= class_id < 3
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    told = {defect.line for defect in log.defects if defect.code != "yolo.box_clipped"}
    assert len(edges) + len(told) == len(rows)
    assert all(defect.path == "a.txt" for defect in log.defects)


@given(st.text(max_size=200))
def test_no_text_makes_the_row_parser_fail(text):
    edges, log = parse(text)
    rows = [line for line, row in enumerate(text.split("\n"), 1) if row.split()]
    assert len(edges) <= len(rows)
    assert {defect.line for defect in log.defects} <= set(rows)


@given(st.text(max_size=200) | st.from_regex(r"(names|train|nc|\- |[\[\]{}:,&*!\n ]){0,30}", fullmatch=True))
def test_no_text_makes_the_yaml_reader_fail_in_an_untyped_way(text):
    try:
        document, lines = plain_yaml.load(text, "data.yaml")
    except BadInput as refused:
        assert refused.code.startswith("yaml.")
        return
    assert isinstance(document, str | list | dict)
    assert all(line >= 1 for line in lines.values())


COORDINATE = st.floats(0, 90)
BOXES = st.lists(
    st.builds(Box, st.integers(0, 1), COORDINATE, COORDINATE, st.floats(1, 10), st.floats(1, 10), st.just(())),
    max_size=5,
)


@given(BOXES, st.randoms())
def test_the_digest_depends_on_the_boxes_alone(boxes, randomness):
    annotation = Annotation.of(boxes)
    shuffled = list(boxes)
    randomness.shuffle(shuffled)
    assert Annotation.of(shuffled).digest() == annotation.digest()
    assert Annotation.from_document(annotation.document()) == annotation
    assert annotation.digest() != Annotation.of([*boxes, Box(0, 1.5, 1.5, 2.0, 2.0)]).digest()


def test_the_digest_of_a_known_document_does_not_change():
    annotation = Annotation.of([Box(1, 2, 3.25, 4.5, 5.1234567), Box(0, -0.0, 0, 1, 1)])
    assert annotation.canonical() == (
        b'{"objects":[{"bbox":[0.0,0.0,1.0,1.0],"class":0},{"bbox":[2.0,3.25,4.5,5.123457],"class":1}],"version":1}'
    )
    assert annotation.digest() == "b7488a4d4d5db72f9a1afea677aa87e5b2846b0f112582281c4079f51515b4d4"


def test_a_written_set_reads_back_the_same(tmp_path):
    source = YoloSet(Tree(stage(yolo_files(b"0 .3 .4 .123456 .2\n1 .5 .5 1 1\n"), tmp_path)), DefectLog())
    items = list(source.items())
    data = {item.path: source.staged.read(item.path) for item in items}

    written = write_yolo(
        (
            WritableItem(
                item.path,
                item.split,
                item.facts.width,
                item.facts.height,
                item.annotation,
                lambda path=item.path: io.BytesIO(data[path]),
            )
            for item in items
        ),
        ["plain", "true: [x] \u00e9"],
        tmp_path / "written",
    )

    again = YoloSet(Tree(walk(tmp_path / "written")), log := DefectLog())
    copies = list(again.items())
    assert log.defects == []
    assert written.images == len(items) == len(copies)
    assert again.classes == ("plain", "true: [x] \u00e9")
    for item, copy in zip(items, copies, strict=True):
        assert (copy.split, copy.sha256, copy.facts) == (item.split, item.sha256, item.facts)
        for mine, theirs in zip(item.annotation.boxes, copy.annotation.boxes, strict=True):
            assert theirs[:5] == pytest.approx(mine[:5], abs=1e-5)


def test_limits_on_boxes_and_classes_refuse_the_set(tmp_path):
    with pytest.raises(BadInput) as refused:
        RowParser(DefectLog(), classes=1, limits=YoloLimits(objects=2)).parse(
            "0 .5 .5 .1 .1\n0 .5 .5 .2 .2\n0 .5 .5 1 1", "a"
        )
    assert refused.value.code == "yolo.too_many_boxes"
    with pytest.raises(BadInput) as refused:
        YoloSet(Tree(stage(yolo_files(), tmp_path)), DefectLog(), limits=YoloLimits(classes=1))
    assert refused.value.code == "class.many"
