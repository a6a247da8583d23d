"""Label files of every format, each in a small set on the disk: `analyse` gives sound objects or findings."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.datasets.archives import walk
from apps.datasets.defects import BadInput
from apps.datasets.formats import plain_yaml
from apps.datasets.formats.model import TASKS
from tests.datasets.factories import documents, sets
from tests.datasets.soundness import analysed_soundly
from tests.security.fuzzing.given import Given, Target, check_defects, with_way

Files = dict[str, bytes]
WANTED = (None, *TASKS)
YAMLS = (
    sets.YAML,
    b"names: [a, b]\nkpt_shape: [2, 3]\ntrain: images/train\nval: images/val\n",
    b"names: [a]\nkpt_shape: [1, 2]\nkpt_names: {0: [x]}\ntrain: images/train\nval: images/val\n",
)


def take(files: Files, folder: Path, task: str | None, *, lenient: bool = False) -> None:
    """Write the files where they differ from what lies there, and read the set as a folder of the server is read."""
    for path, content in files.items():
        target = folder / path
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    found = analysed_soundly(walk(folder), task, lenient=lenient)
    check_defects(found.defects)
    json.dumps(found.as_dict()).encode()


def take_rows(data: bytes, folder: Path) -> None:
    """Rows of YOLO, wanted for every task, with and without keypoints."""
    given = Given(data)
    way = given.number(255)
    number, yaml = way % len(WANTED), way // len(WANTED) % len(YAMLS)
    files = sets.yolo_files(given.rest(), yaml=YAMLS[yaml], both=False)
    take(files, folder / f"{yaml}", WANTED[number], lenient=way > 127)


def row_seeds() -> Iterator[bytes]:
    rows = b"0 0.5 0.5 0.25 0.25\n1 .1 .1 .2 .2\n", b"0 .1 .1 .9 .1 .9 .9\n", b"1 .1 .1 .9 .1 .9 .9 .1 .9\n"
    points = b"0 .5 .5 .2 .2 .4 .4 2 .6 .6 1\n", b"0 .5 .5 .2 .2 .4 .4\n"
    for number in range(len(WANTED)):
        for row in rows:
            yield with_way(row, number)
        yield with_way(points[0], number + len(WANTED))
        yield with_way(points[1], number + 2 * len(WANTED))
    noise = random.Random(1)
    yield with_way("".join(f"0 {noise.random():.4f} {noise.random():.4f} .1 .1\n" for _ in range(300)).encode())


#: Where a text of a set stands that describes it, and what stands beside it.
PLACES = ("data.yaml", "classes.txt", "train.txt")


def take_description(data: bytes, folder: Path) -> None:
    """A set's YAML, its list of classes, or its list of images."""
    given = Given(data)
    way = given.number(255) % len(PLACES)
    files = sets.yolo_files(yaml=None)
    if PLACES[way] == "train.txt":
        files["classes.txt"] = b"cat\ndog\n"
    take(files | {PLACES[way]: given.rest()}, folder / f"{way}", "detect")


def description_seeds() -> Iterator[bytes]:
    for yaml in YAMLS:
        yield with_way(yaml)
    yield with_way(
        b"path: ../x\ntrain: [images/train, train.txt]\nval: images/val\ntest:\nnc: 2\nnames: {0: cat, 1: dog}\n"
    )
    yield with_way(b"download: x\nnames:\n  - 'cat'\n  - \"d\\u006fg\"\nval: >-\n  images/val\n")
    yield with_way(b"cat\ndog\n", 1)
    yield with_way("\ufeffcat\r\n개\r\n".encode("utf-16"), 1)
    yield with_way(b"images/train/0.jpg\n./images/train/1.jpg\nC:\\x\\images\\val\\0.jpg\n", 2)


def take_yaml(data: bytes, folder: Path) -> None:
    """YAML as data: whatever comes out is texts in lists and mappings."""
    try:
        node, lines = plain_yaml.load(data.decode("utf-8", "replace"), "data.yaml")
    except BadInput as refused:
        check_defects([refused.defect])
        return
    assert set(lines) == (set(node) if isinstance(node, dict) else set())
    pending: list[Any] = [node]
    while pending:
        node = pending.pop()
        assert isinstance(node, str | list | dict)
        pending += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def yaml_seeds() -> Iterator[bytes]:
    yield from YAMLS
    yield b"a: &b [1, {c: d}]\ne: *b\n? [f]\n: !!python/name:os.system g\n--- |\n h\n...\n"
    yield b"%YAML 1.1\n---\n- 'x'\n- \"\\x41\\u0041\\\n y\"\n- >+\n  z\n\n# end\n"


def take_coco(data: bytes, folder: Path) -> None:
    given = Given(data)
    way = given.number(255)
    files = documents.coco_files(given.rest())
    take(files, folder, WANTED[way % len(WANTED)], lenient=way > 127)


def coco_seeds() -> Iterator[bytes]:
    ring = [[2, 3, 12, 3, 12, 11]]
    runs = {"size": [documents.HEIGHT, documents.WIDTH], "counts": [100, 10, 658]}
    packed = {"size": [documents.HEIGHT, documents.WIDTH], "counts": "P3:bd0"}
    shapes: tuple[dict[str, Any], ...] = (
        {},
        {"segmentation": ring, "iscrowd": 0, "area": 40.5},
        {"segmentation": runs, "iscrowd": 1},
        {"segmentation": packed},
        {"keypoints": [3, 4, 2, 0, 0, 0], "num_keypoints": 1},
        {"attributes": {"occluded": True, "note": "가"}},
    )
    for number, more in enumerate(shapes):
        found = documents.document(documents.annotation(1, **more), documents.annotation(2, 2))
        yield with_way(documents.written(found), number)
        yield with_way(json.dumps(found).encode(), 128)
    yield with_way(documents.written(documents.document(*(documents.annotation(number) for number in range(99)))))


def take_dice(data: bytes, folder: Path) -> None:
    given = Given(data)
    way = given.number(255)
    files = documents.coco_files(given.rest(), name="annotations.json")
    take(files, folder, WANTED[way % len(WANTED)], lenient=way > 127)


def dice_seeds() -> Iterator[bytes]:
    corners = {"corners": [2, 3, 12, 3, 12, 11, 2, 11]}
    for number, task in enumerate(WANTED):
        mark = {"format": "dice", "version": 1, "task": task}
        found = mark | documents.document(
            documents.annotation(1, **corners), {"id": 2, "image_id": 1, "category_id": 2}
        )
        found["images"][0] |= {"split": "train"}
        found["images"][1] |= {"split": "val", "labelled": False}
        found["categories"][1]["color"] = "#aa3300"
        yield with_way(documents.written(found), number)


#: A text of a Pascal VOC set.
VOC_PLACES = ("Annotations/1.xml", "ImageSets/Main/train.txt", "labelmap.txt")


def take_voc(data: bytes, folder: Path) -> None:
    given = Given(data)
    way = given.number(255)
    place = way % len(VOC_PLACES)
    files = documents.voc_files(documents.voc_xml(documents.voc_object()))
    files[VOC_PLACES[place]] = given.rest()
    take(files, folder / f"{place}", "detect", lenient=way > 127)


def voc_seeds() -> Iterator[bytes]:
    more = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    yield with_way(documents.voc_xml(documents.voc_object()))
    yield with_way(
        documents.voc_xml(documents.voc_object("dog", (1.5, 1, 9, "9e0"), more), documents.voc_object("가"))
    )
    doctype = b'<!DOCTYPE a [<!ENTITY b "c">]>'
    yield with_way(
        b'<?xml version="1.0" encoding="euc-kr"?>' + doctype + documents.voc_xml(documents.voc_object("&b;"))
    )
    yield with_way(b"<annotation><!-- a --><object><name><![CDATA[b]]>&#x41;</name></object></annotation>")
    yield with_way(b"1\n2 -1\n../1\n", 1)
    yield with_way("cat:255,0,0::\n# 가:1,2,3:head:act\nbackground:0,0,0::\n".encode(), 2)


JSON_WORDS = tuple(
    f'"{word}"'.encode()
    for word in (
        *("images", "categories", "annotations", "id", "image_id", "category_id", "bbox", "segmentation", "keypoints"),
        *("size", "counts", "iscrowd", "attributes", "file_name", "width", "height", "name", "skeleton", "corners"),
    )
) + (b"1e308", b"1e999", b"-0.0", b"NaN", b"Infinity", b"null", b"true", b'"\\ud800"', b"[[", b"]]", b"{}", b"9" * 30)
NUMBERS = (b"nan", b"inf", b"1e999", b"1e-320", b"-0", b"0x1", b"1_0", "１".encode(), b"\r\n", b"\0", b"\xff\xfe")
YAML_WORDS = (b"names:", b"nc:", b"train:", b"kpt_shape:", b"kpt_names:", b"!!", b"&a ", b"*a", b"---\n", b"? ", b": ")
XML_WORDS = tuple(
    f"<{word}>".encode()
    for word in ("object", "/object", "name", "/name", "bndbox", "/bndbox", "xmin", "/xmin", "size", "/size", "width")
) + (b"<!DOCTYPE a [", b"<!ENTITY", b"<![CDATA[", b"]]>", b"&#x", b"<?xml", b"<!--", b"-->")

TARGETS: dict[str, Target] = {
    "YOLO rows of every task": Target(take_rows, row_seeds, NUMBERS),
    "YOLO descriptions, class files and lists": Target(take_description, description_seeds, (*YAML_WORDS, *NUMBERS)),
    "YAML": Target(take_yaml, yaml_seeds, YAML_WORDS),
    "COCO documents": Target(take_coco, coco_seeds, JSON_WORDS),
    "DICE documents": Target(take_dice, dice_seeds, (*JSON_WORDS, b'"split"', b'"labelled"', b'"color"')),
    "Pascal VOC files, lists and label maps": Target(take_voc, voc_seeds, (*XML_WORDS, *NUMBERS)),
}
