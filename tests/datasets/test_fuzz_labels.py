"""Whatever stands in a label file, its parser answers: within a second, with sound objects or typed defects."""

import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from modelyard_trainer.outlines import joined, mask_rings

from apps.datasets.defects import BadInput
from apps.datasets.formats.geometry import CrossingFinder, ring_area
from apps.datasets.formats.masks import mask_area, mask_bounds, tidied, uncompress
from apps.datasets.formats.model import TASKS
from apps.datasets.formats.voc.document import read_document
from tests.datasets.factories.documents import (
    HEIGHT,
    WIDTH,
    annotation,
    coco_files,
    document,
    voc_files,
    voc_object,
    voc_xml,
    written,
)
from tests.datasets.factories.sets import stage, yolo_files
from tests.datasets.soundness import analysed_soundly

pytestmark = pytest.mark.security
FUZZ = settings(
    deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.too_slow], max_examples=60, print_blob=True
)

NUMBERS = (
    st.integers(-5, 40)
    | st.floats(-5, 40)
    | st.sampled_from([1e308, -1e308, 10**400, 2**63, -0.0, 1e-320, True, None, "3"])
)
LISTS = st.lists(NUMBERS, max_size=14)
ANY = st.recursive(
    NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
ANNOTATION = st.fixed_dictionaries(
    {},
    optional={
        "id": NUMBERS | st.integers(1, 3),
        "image_id": st.integers(1, 3) | ANY,
        "category_id": st.integers(1, 3) | ANY,
        "bbox": LISTS | ANY,
        "segmentation": st.lists(LISTS, max_size=3)
        | st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]) | LISTS, "counts": LISTS | st.text(max_size=30)})
        | ANY,
        "keypoints": LISTS | ANY,
        "corners": LISTS | ANY,
        "attributes": ANY,
        "iscrowd": NUMBERS,
    },
)


def check(files, task, lenient=False):
    """The analysis of a set in memory.

    None where a label file was damaged into what an archive begins with: that is refused before anybody reads it.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            staged = stage(files, Path(folder))
        except BadInput as refused:
            assert refused.code == "archive.nested"
            return None
        return analysed_soundly(staged, task, lenient=lenient)


@FUZZ
@given(st.lists(ANNOTATION, max_size=4), st.sampled_from([None, *TASKS]), st.booleans())
def test_no_annotation_makes_the_coco_parser_fail(found, task, lenient):
    check(coco_files(json.dumps(document(*found)).encode()), task, lenient)


@FUZZ
@given(st.fixed_dictionaries({}, optional={"images": ANY | st.lists(ANY), "categories": ANY | st.lists(ANY)}))
def test_no_image_or_category_makes_the_coco_parser_fail(more):
    check(coco_files(json.dumps(document(annotation()) | more).encode()), "detect")


GOOD = written(document(annotation(1, segmentation=[[2, 3, 12, 3, 12, 11]]), annotation(2, 2)))


@FUZZ
@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=12))
@example(0, 40, b"\xfd7zXZ\0")
def test_no_damage_makes_the_coco_parser_fail(start, length, put):
    check(coco_files(GOOD[:start] + put + GOOD[start + length :]), "segment")


XML = voc_xml(voc_object(), voc_object("dog", (1, 1, 9, 9)))


@FUZZ
@given(
    st.integers(0, len(XML)),
    st.integers(0, 60),
    st.binary(max_size=12) | st.sampled_from([b"<object>", b"<!--", b"]]>"]),
)
def test_no_damage_makes_the_voc_parser_fail(start, length, put):
    check(voc_files(XML[:start] + put + XML[start + length :]), "detect")


@given(st.binary(max_size=200) | st.text("<>/annotio&;#x!-[] '\"=", max_size=80).map(str.encode))
def test_no_bytes_make_the_xml_reader_fail_in_an_untyped_way(data):
    try:
        found = read_document(data, "a.xml", 10)
    except BadInput as refused:
        assert refused.code.startswith("voc.")
        return
    assert len(found.objects) <= 10


ROW = st.lists(st.sampled_from(["0", "1", "7", "-1", ".5", "0.25", "1", "2", "nan", "x", "1e999"]), max_size=14).map(
    " ".join
)
YAMLS = [
    b"names: [a, b]\ntrain: images/train\nval: images/val\n",
    b"names: [a, b]\nkpt_shape: [2, 3]\ntrain: images/train\nval: images/val\n",
    b"names: [a]\nkpt_shape: [1, 2]\nkpt_names: {0: [x]}\ntrain: images/train\nval: images/val\n",
]


@FUZZ
@given(
    st.lists(ROW, max_size=6).map("\n".join), st.sampled_from(YAMLS), st.sampled_from([None, *TASKS]), st.booleans()
)
def test_no_row_makes_the_yolo_parser_fail(label, yaml, task, lenient):
    check(yolo_files(label.encode(), yaml=yaml, both=False), task, lenient)


@FUZZ
@given(st.lists(st.text(max_size=8), max_size=5).map("\n".join), st.text(max_size=40))
def test_no_list_makes_the_voc_parser_fail(listed, label_map):
    files = voc_files(XML)
    files["ImageSets/Main/train.txt"] = listed.encode("utf-8", "surrogatepass")
    files["labelmap.txt"] = label_map.encode("utf-8", "surrogatepass")
    check(files, "detect")


@given(st.text(max_size=60))
def test_packed_run_lengths_are_read_or_refused(text):
    try:
        counts = uncompress(text, 20)
    except ValueError:
        return
    assert len(counts) <= 20


MASKS = st.integers(1, 9).flatmap(
    lambda height: st.tuples(st.just(height), st.lists(st.booleans(), min_size=height, max_size=9 * height))
)


def runs_of(pixels: list[bool]) -> list[int]:
    counts, current = [0], False
    for pixel in pixels:
        if pixel != current:
            counts.append(0)
            current = pixel
        counts[-1] += 1
    return counts


def is_inside(rings, x, y):
    """Whether a point is inside by the even-odd rule."""
    inside = False
    for ring in rings:
        points = list(zip(ring[::2], ring[1::2], strict=True))
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
    return inside


@given(MASKS)
def test_the_outlines_of_a_mask_hold_exactly_its_pixels(mask):
    height, pixels = mask
    pixels = pixels[: len(pixels) // height * height]
    counts = runs_of(pixels)
    rings = mask_rings(counts, height)
    ways = [rings, [joined(rings)] if rings else []]
    for place, pixel in enumerate(pixels):
        x, y = divmod(place, height)
        for way in ways:
            assert is_inside(way, x + 0.5, y + 0.5) == pixel
    xs, ys = [p // height for p, on in enumerate(pixels) if on], [p % height for p, on in enumerate(pixels) if on]
    expected = (min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1) if xs else (0, 0, 0, 0)
    assert mask_bounds(counts, height) == expected
    assert mask_area(counts) == sum(pixels)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_runs_are_written_in_one_way(counts):
    tidy = tidied(counts)
    assert all(tidy[1:])
    assert sum(tidy) == sum(counts)
    assert [index % 2 for index, count in enumerate(tidy) for _ in range(count)] == [
        index % 2 for index, count in enumerate(counts) for _ in range(count)
    ]


def test_outlines_that_would_cost_much_are_bounded():
    finder = CrossingFinder()
    ring = [value for number in range(50_000) for value in (number % 2 * 1000, number * 0.01)]
    begun = time.process_time()
    for _ in range(50):
        finder.crosses(ring)
    assert time.process_time() - begun < 10
    assert ring_area([0, 0, 4, 0, 4, 3]) == 6
