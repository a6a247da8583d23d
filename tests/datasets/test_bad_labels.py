"""Bad labels of COCO, Pascal VOC and folders, one test each: a typed answer with file and line, within a second."""

import json
import resource
import time
from collections.abc import Iterator

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.archives import walk
from tests.datasets.factories.documents import (
    FIRST,
    annotation,
    coco_files,
    document,
    voc_files,
    voc_object,
    voc_xml,
    written,
)
from tests.datasets.factories.images import encoded
from tests.datasets.factories.sets import stage
from tests.security.report import BAD_INPUT

pytestmark = pytest.mark.security(BAD_INPUT, "labels of COCO, Pascal VOC and folders")
#: Processor time; five times as much where every line is counted for coverage.
SECONDS = 5.0
MEMORY_KIB = 200 * 1024
DOCUMENT = "annotations/instances_train.json"
RING = [2, 3, 12, 3, 12, 11]
POINTS = [5, 5, 2, 6, 6, 1]


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """The peak of memory only ever grows, so it bounds from above."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MEMORY_KIB


def analysed(files, folder, **options):
    return analyse(stage(files, folder), **options)


def bad(name, found, code, line=FIRST, severity="error", tag=""):
    return pytest.param(found, code, line, severity, id=f"bad-{name}{tag and '-' + tag}")


def one(**more):
    """A document whose first annotation has something else, and whose second is good."""
    return document(annotation(1, **more), annotation(2, 2))


def rle(size, counts):
    return one(segmentation={"size": size, "counts": counts})


SPLIT_MASK = [0, 24 * 32]
CROSSED = [[2, 3, 12, 11, 12, 3, 2, 11]]
KEYS = dict(document(annotation()))

COCO = [
    bad("A01", one(category_id=99), "coco.category_unknown"),
    bad("A02", one(category_id=-1), "coco.category_unknown", tag="negative"),
    bad("A02", one(category_id=1.5), "coco.category_unknown", tag="float"),
    bad("A02", one(category_id=[1]), "coco.category_unknown", tag="list"),
    bad("A03", one(bbox=[200, 3, 10, 8]), "shape.empty", tag="outside"),
    bad("A03", one(bbox=[2, 3, 100, 8]), "shape.clipped", severity="warning", tag="over"),
    bad("A03", one(segmentation=[[2, 3, 99, 3, 12, 11]]), "shape.clipped", severity="warning", tag="outline"),
    bad("A04", written(one()).replace(b"[2, 3, 10, 8]", b"[NaN, 3, 10, 8]", 1), "json.not_finite", tag="nan"),
    bad("A04", written(one()).replace(b"[2, 3, 10, 8]", b"[2, -Infinity, 1, 1]", 1), "json.not_finite", tag="inf"),
    bad("A04", written(one()).replace(b"[2, 3, 10, 8]", b"[2, 3, 1e999, 8]", 1), "coco.box_shape", tag="1e999"),
    bad(
        "A04",
        written(one()).replace(b"[2, 3, 10, 8]", b"[2, 3, 1" + b"0" * 400 + b", 8]", 1),
        "coco.box_shape",
        tag="400-digits",
    ),
    bad(
        "A04",
        written(one()).replace(b"[2, 3, 10, 8]", b"[2, 3, 1" + b"0" * 5000 + b", 8]", 1),
        "json.invalid",
        tag="5000-digits",
    ),
    bad("A05", one(bbox=[2, 3, 0, 8]), "shape.empty"),
    bad("A05", one(bbox=[2, 3, 10, -8]), "shape.empty", tag="negative"),
    bad("A05", one(segmentation=[[2, 3, 4, 5, 6, 7]]), "shape.empty", tag="outline"),
    bad("A07", one(segmentation=[[2, 3, 12, 3]]), "coco.polygon_short", tag="short"),
    bad("A07", one(segmentation=[[2, 3, 12, 3, 12, 11, 4]]), "coco.polygon_odd", tag="odd"),
    bad("A07", one(segmentation=[["2", 3, 12, 3, 12, 11]]), "coco.polygon_shape", tag="text"),
    bad("A07", one(segmentation="2 3 12 3"), "coco.polygon_shape", tag="no-list"),
    bad("A08", one(segmentation=CROSSED), "shape.crosses", severity="warning"),
    bad("A09", document(annotation(1), annotation(2)), "shape.duplicate", FIRST + 1, "warning"),
    bad("A12", one(image_id=99), "coco.image_unknown"),
    bad("A12", one(image_id=None), "coco.shape", tag="none"),
    bad("A13", document(annotation(2), annotation(2, 2)), "coco.annotation_id_twice", None, tag="annotation"),
    bad("A18", written(one()).decode().encode("utf-16"), "text.encoding", None, tag="utf-16"),
    bad("A18", written(one()).replace(b'"cat"', b'"caf\xe9"'), "text.encoding", 7, tag="latin-1"),
    bad("A20", one(keypoints=POINTS[:3]), "coco.keypoint_count"),
    bad(
        "A20",
        document(annotation(1, keypoints=POINTS, category_id=2), annotation(2, 2)),
        "coco.keypoint_count",
        tag="none",
    ),
    bad("A20", one(keypoints=[5, 5, 3, 0, 0, 0]), "coco.visibility", tag="visible"),
    bad("A21", rle([32, 24], SPLIT_MASK), "coco.mask_size", tag="turned"),
    bad("A21", rle([24, 32], [0, 24 * 32 - 1]), "coco.mask_size", tag="sum"),
    bad("A21", rle([24, 32], [24 * 32 + 5, -5]), "coco.mask_size", tag="negative"),
    bad("A21", rle([24, 32], "~~~~"), "coco.mask_shape", tag="packed"),
    bad("A21", rle([24, 32], "oooooooooooo"), "coco.mask_shape", tag="shift"),
    bad("A21", rle([24, 32], [1] * 200_000), "coco.mask_runs", tag="runs"),
    bad("A21", rle([24], SPLIT_MASK), "coco.mask_shape", tag="size"),
    bad("A21", rle([24, 32], [24 * 32]), "shape.empty", tag="no-pixel"),
]


@pytest.mark.parametrize(("found", "code", "line", "severity"), COCO)
def test_a_bad_annotation_is_named_by_its_line(tmp_path, found, code, line, severity):
    result = analysed(coco_files(found), tmp_path)
    assert result.ok is (severity == "warning")
    told = [(defect.code, defect.severity, defect.path, defect.line) for defect in result.defects]
    assert (code, severity, DOCUMENT, line) in told, told


@pytest.mark.parametrize(
    ("found", "code"),
    [
        pytest.param(found.values[0], found.values[1], id=found.id)
        for found in COCO
        if found.values[3] == "error" and not found.values[1].startswith(("json.", "text."))
    ],
)
def test_the_lenient_check_leaves_bad_annotations_out(tmp_path, found, code):
    result = analysed(coco_files(found), tmp_path, lenient=True)
    assert result.ok, result.defects
    assert result.defect_counts[code] == 1
    # Two annotations of one id are two annotations.
    assert result.boxes == 1 + (code == "coco.annotation_id_twice")


IMAGES = KEYS["images"]
CATEGORIES = KEYS["categories"]


@pytest.mark.parametrize(
    ("found", "code", "line"),
    [
        pytest.param(
            document(images=[*IMAGES, {**IMAGES[0], "file_name": "2.jpg"}]),
            "coco.image_id_twice",
            5,
            id="bad-A13-image",
        ),
        pytest.param(document(images=[*IMAGES, {**IMAGES[0], "id": 3}]), "coco.image_twice", 5, id="bad-A13-file"),
        pytest.param(
            document(categories=[*CATEGORIES, dict(CATEGORIES[0])]), "coco.category_id_twice", 9, id="bad-A13-category"
        ),
        pytest.param(
            document(categories=[*CATEGORIES, {"id": 9, "name": "cat"}]), "class.duplicate", 9, id="bad-A25-names"
        ),
        pytest.param(document(categories=[{"id": 1, "name": "=HYPERLINK(1)"}]), "class.name", 7, id="bad-A17"),
        pytest.param(document(categories=[{"id": 1, "name": "\ud800"}]), "class.name", 7, id="bad-A17-surrogate"),
        pytest.param(document(categories=[{"id": 1, "name": 5}]), "coco.shape", 7, id="bad-A25-number"),
        pytest.param(document(categories=[7]), "coco.shape", 7, id="bad-A25-no-object"),
        pytest.param(document(images=[{"id": 1}]), "coco.shape", 3, id="bad-A12-no-name"),
        pytest.param({"annotations": [annotation()]}, "coco.no_images", None, id="bad-A12-no-images"),
        pytest.param(document(images=5), "coco.shape", 2, id="bad-A12-no-list"),
        pytest.param(
            document(images=[{**IMAGES[0], "width": 99, "height": 99}]), "shape.image_size", 3, id="bad-A03-size"
        ),
        pytest.param(b'{"categories": [], "images": [], "images": []}', "json.duplicate_key", 1, id="bad-T15-twice"),
        pytest.param(b'{"categories": [], "images": [' + b"[" * 100_000, "json.too_deep", 1, id="bad-X05-deep"),
        pytest.param(
            b'{"categories": [], "images": [' + b'{"a":' * 100_000, "json.too_deep", 1, id="bad-X05-deep-objects"
        ),
        pytest.param(
            b'{"categories": [], "images": ["' + b"x" * 6_000_000, "json.element_big", 1, id="bad-A15-one-text"
        ),
        pytest.param(written(one())[:-40], "json.truncated", FIRST + 1, id="bad-A11-annotation"),
        pytest.param(written(one())[:-6], "json.truncated", FIRST + 1, id="bad-A11-end"),
        pytest.param(written(one())[:60], "json.truncated", 3, id="bad-A11-images"),
        pytest.param(written(one()) + b"x", "json.invalid", 15, id="bad-A11-tail"),
        pytest.param(written(one()).replace(b'"bbox"', b"'bbox'", 1), "json.invalid", FIRST, id="bad-A11-quotes"),
        pytest.param(written(one()).replace(b"},\n", b"}\n", 1), "json.invalid", 4, id="bad-A11-comma"),
    ],
)
def test_a_bad_document_is_named_by_its_line(tmp_path, found, code, line):
    result = analysed(coco_files(found), tmp_path)
    assert not result.ok
    told = [(defect.code, defect.path, defect.line) for defect in result.defects if defect.severity == "error"]
    assert (code, DOCUMENT, line) in told, told


def test_memory_is_bounded_for_one_image(tmp_path):
    """bad-A15"""
    ring = [value for number in range(10_000) for value in (number % 30, number % 20)]
    found = document(*(annotation(number, segmentation=[ring]) for number in range(120)), annotation(999, 2))
    result = analysed(coco_files(json.dumps(found).encode()), tmp_path, task="segment")
    assert result.defect_counts["coco.image_big"] == 1


def test_memory_is_bounded_for_categories(tmp_path):
    """bad-A15"""
    deep = [{"id": number, "name": str(number), "keypoints": [[]] * 100_000} for number in range(20)]
    result = analysed(coco_files(json.dumps(document(categories=deep)).encode()), tmp_path)
    assert [defect.code for defect in result.defects if defect.severity == "error"] == ["json.element_big"]


def test_memory_is_bounded_for_keys(tmp_path):
    """bad-A15"""
    keys = {f"k{number}": 1 for number in range(100_000)}
    result = analysed(coco_files(json.dumps(document() | keys).encode()), tmp_path)
    assert [defect.code for defect in result.defects] == ["json.too_many_keys"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:\\1.jpg.exe", "a\x00b", "x/" * 2000, "\ud800.jpg"]
)
def test_a_document_names_files_of_its_own_set_only(tmp_path, name):
    """bad-D01 bad-D02 bad-D03 bad-D04"""
    result = analysed(coco_files(document(annotation(), images=[{"id": 1, "file_name": name}])), tmp_path)
    assert result.defect_counts["coco.image_missing"] == 1
    assert (result.labelled, result.boxes) == (0, 0)


def test_what_has_no_counterpart_is_a_warning(tmp_path):
    """bad-A10"""
    found = document(annotation(1, 3), images=[IMAGES[0], {"id": 3, "file_name": "ghost.jpg"}])
    result = analysed(coco_files(found), tmp_path)
    assert result.ok
    assert {"coco.image_missing": 1, "coco.image_unlisted": 1}.items() <= result.defect_counts.items()


def test_too_many_objects_are_refused_by_size_and_by_image(tmp_path):
    """bad-A15"""
    staged = stage(coco_files(document(annotation())), tmp_path / "a")
    with staged.locate(DOCUMENT).open("r+b") as file:
        file.truncate(1 << 30)
    assert [defect.code for defect in analyse(walk(staged.root)).defects] == ["coco.too_big"]

    rows = ",".join([json.dumps(annotation())] * 20_001).encode()
    data = written(document()).replace(b'"annotations": [\n]', b'"annotations": [\n' + rows + b"]")
    result = analysed(coco_files(data), tmp_path / "b", lenient=True)
    assert (result.ok, result.defect_counts["coco.objects_per_image"]) == (False, 1)


ENTITIES = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
FAR = 10**12

VOC = [
    bad("A03", voc_xml(voc_object(), voc_object(box=(40, 3, 50, 9))), "shape.empty", 5, tag="outside"),
    bad("A03", voc_xml(voc_object(), voc_object(box=(-5, 3, 9, 9))), "shape.clipped", 5, "warning"),
    bad("A04", voc_xml(voc_object(), voc_object(box=("nan", 3, 5, 9))), "voc.not_finite", 5, tag="nan"),
    bad("A04", voc_xml(voc_object(), voc_object(box=("1e999", 3, 5, 9))), "voc.not_finite", 5, tag="1e999"),
    bad("A04", voc_xml(voc_object(), voc_object(box=(FAR, 3, 5, 9))), "voc.not_finite", 5, tag="far"),
    bad("A04", voc_xml(voc_object(), voc_object(box=("١", 3, 5, 9))), "voc.not_a_number", 5, tag="digits"),
    bad("A05", voc_xml(voc_object(), voc_object(box=(5, 3, 5, 9))), "shape.empty", 5),
    bad("A05", voc_xml(voc_object(), voc_object(box=(9, 3, 5, 9))), "shape.empty", 5, tag="negative"),
    bad("A07", voc_xml(voc_object(), "<object><name>cat</name></object>"), "voc.box_missing", 5),
    bad("A09", voc_xml(voc_object(), voc_object()), "shape.duplicate", 5, "warning"),
    bad("A03", voc_xml(voc_object(), width=99), "shape.image_size", None, tag="size"),
]


@pytest.mark.parametrize(("xml", "code", "line", "severity"), VOC)
def test_a_bad_object_is_named_by_its_line_and_left_out_when_lenient(tmp_path, xml, code, line, severity):
    result = analysed(voc_files(xml), tmp_path / "a")
    told = [(defect.code, defect.severity, defect.path, defect.line) for defect in result.defects]
    assert (result.ok, told) == (severity == "warning", [(code, severity, "Annotations/1.xml", line)])
    lenient = analysed(voc_files(xml), tmp_path / "b", lenient=True)
    assert lenient.ok
    assert lenient.boxes == 2 + (code == "shape.clipped")


@pytest.mark.parametrize(
    ("xml", "code", "line"),
    [
        pytest.param(
            b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<annotation>&x;</annotation>',
            "voc.doctype",
            2,
            id="bad-A16-external",
        ),
        pytest.param(
            f"<!DOCTYPE a [{ENTITIES}]><annotation>&a9;</annotation>".encode(), "voc.doctype", 1, id="bad-A16-bomb"
        ),
        pytest.param(
            b'<!DOCTYPE annotation SYSTEM "http://127.0.0.1/x.dtd"><annotation/>', "voc.doctype", 1, id="bad-A16-dtd"
        ),
        pytest.param(b"<annotation>&x;</annotation>", "voc.invalid", 1, id="bad-A16-undefined"),
        pytest.param(b"<a>" * 100_000, "voc.too_deep", 1, id="bad-X05"),
        pytest.param(voc_xml(voc_object())[:-20], "voc.truncated", 4, id="bad-A11"),
        pytest.param(b"", "voc.truncated", 1, id="bad-A11-empty"),
        pytest.param(b"<html><annotation/></html>", "voc.no_annotation", 1, id="bad-A11-other"),
        pytest.param(b'<?xml version="1.0" encoding="rot13"?><annotation/>', "voc.invalid", 1, id="bad-A18-encoding"),
        pytest.param(b"<annotation>caf\xe9</annotation>", "voc.invalid", 1, id="bad-A18-latin-1"),
        pytest.param(voc_xml(*[voc_object()] * 20_001), "voc.objects_per_image", 20_004, id="bad-A15"),
        pytest.param(b"<annotation>" + b" " * (5 << 20), "text.too_big", None, id="bad-A15-size"),
        pytest.param(voc_xml(voc_object("=cmd()")), "class.name", 4, id="bad-A17"),
        pytest.param(voc_xml(voc_object("")), "class.name", 4, id="bad-A17-empty"),
    ],
)
def test_a_bad_file_is_named_by_its_line(tmp_path, xml, code, line):
    result = analysed(voc_files(xml), tmp_path)
    assert not result.ok
    told = [(defect.code, defect.path, defect.line) for defect in result.defects if defect.severity == "error"]
    assert told == [(code, "Annotations/1.xml", line)]


def test_xml_without_image_and_image_without_xml_are_warnings(tmp_path):
    """bad-A10"""
    files = voc_files(voc_xml(voc_object()))
    files["Annotations/ghost.xml"] = files.pop("Annotations/2.xml")
    result = analysed(files, tmp_path)
    assert result.ok
    assert result.defect_counts == {"voc.label_without_image": 1, "voc.image_without_label": 1}


def test_more_classes_than_allowed_in_folders_are_refused(tmp_path):
    """bad-A15"""
    data = encoded(seed=1)
    files = {f"train/class {number}/1.jpg": data for number in range(5001)}
    result = analysed(files, tmp_path, task="classify")
    assert [defect.code for defect in result.defects] == ["class.many"]
