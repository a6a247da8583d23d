"""Damaged sets and hostile ones: each ends in a defect that says what is wrong, and nothing of it is taken."""

from pathlib import Path

import pytest

from apps.datasets.analysis import Analysis, analyse
from apps.datasets.defects import BadInput, describe
from apps.datasets.foreign.conversion import laid_out
from apps.datasets.foreign.reader import Job, Limits, read
from tests.datasets.factories.sets import Files, stage
from tests.datasets.foreign.support import CVAT_BOX, cvat, cvat_boxes, kitti, picture, vott_json

ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "%s">%s]><annotations><meta><task>&i;</task></meta></annotations>'
    % (
        b"a" * 100,
        b"".join(b'<!ENTITY %c "%s">' % (98 + number, b"&%c;" % (97 + number) * 100) for number in range(8)),
    )
)
BOX = CVAT_BOX.format(label="cat", x1=10, y1=12, x2=30, y2=40, inside="")


def changed(files: Files, path: str, content: bytes) -> Files:
    assert path in files
    return {**files, path: content}


def with_box(**values: object) -> Files:
    return cvat(CVAT_BOX.format(**({"label": "cat", "x1": 10, "y1": 12, "x2": 30, "y2": 40, "inside": ""} | values)))


BOXES = cvat_boxes().files
#: Name → format ("" to be told), the files, and the code of the defect that the set as a whole has.
REFUSED: dict[str, tuple[str, Files, str]] = {
    "cut off": ("cvat", changed(BOXES, "annotations.xml", BOXES["annotations.xml"][:-200]), "datumaro.unreadable"),
    "no xml": ("cvat", changed(BOXES, "annotations.xml", b"\0\xff" * 50), "datumaro.unreadable"),
    "entities": ("cvat", changed(BOXES, "annotations.xml", ENTITIES), "datumaro.unreadable"),
    "outside file": (
        "cvat",
        changed(
            BOXES,
            "annotations.xml",
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + BOXES["annotations.xml"].split(b"?>")[1],
        ),
        "datumaro.unreadable",
    ),
    "number": ("cvat", with_box(x1="ten"), "datumaro.unreadable"),
    "climbs": (
        "cvat",
        {**BOXES, "annotations.xml": BOXES["annotations.xml"].replace(b"b.jpg", b"../../secret")},
        "datumaro.unreadable",
    ),
    "missing image": (
        "cvat",
        {path: content for path, content in BOXES.items() if "b.jpg" not in path},
        "datumaro.unreadable",
    ),
    "short row": (
        "kitti_detection",
        changed(kitti().files, "training/label_2/000001.txt", b"Car 1 2\n"),
        "datumaro.unreadable",
    ),
    "json": (
        "vott_json",
        changed(vott_json().files, "shapes-export.json", b'{"assets": {"1": '),
        "datumaro.unreadable",
    ),
    "deep json": (
        "vott_json",
        changed(vott_json().files, "shapes-export.json", b"[" * 200_000),
        "datumaro.unreadable",
    ),
    "another format": ("cvat", kitti().files, "datumaro.not_found"),
    "nothing told": ("", {"a.jpg": picture(1), "notes.txt": b"hello"}, "datumaro.not_told"),
    "empty": ("wider_face", {"a.jpg": picture(1)}, "datumaro.not_found"),
}
#: What datumaro takes without a word and the analysis does not: format, files, code, severity.
FOUND: dict[str, tuple[str, Files, str]] = {
    "negative": ("cvat", with_box(x1=30, x2=10), "shape.empty"),
    "outside": ("cvat", with_box(x1=90, x2=200), "shape.clipped"),
    "not finite": ("cvat", with_box(x1="nan"), "json.not_finite"),
    "no picture": ("cvat", changed(BOXES, "images/b.jpg", b"no picture"), "image.not_image"),
    "class twice": (
        "cvat",
        {**BOXES, "annotations.xml": BOXES["annotations.xml"].replace("강아지".encode(), b"=1+1", 1)},
        "class.name",
    ),
}


class Stand:
    """Every bad set, read by one child."""

    def __init__(self, python: Path, home: Path) -> None:
        self.staged, self.jobs = {}, {}
        for name, (plugin, files, _code) in (REFUSED | FOUND).items():
            folder = home / name.replace(" ", "-")
            folder.mkdir()
            self.staged[name] = stage(files, folder)
            self.jobs[name] = Job(self.staged[name].root, folder / "out", "detect", plugin)
        self.found: dict[str, Analysis] = {}
        reports = read(python, list(self.jobs.values()), Limits(seconds=120))
        self.reports = dict(zip(self.jobs, reports, strict=True))

    def analysed(self, name: str) -> Analysis:
        if name in self.found:
            return self.found[name]
        found = laid_out(self.staged[name], self.jobs[name], self.reports[name])
        analysis = self.found[name] = analyse(found.staged, task="detect")
        analysis.defects = found.located(analysis.defects)
        return analysis


@pytest.fixture(scope="module")
def stand(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    return Stand(python, tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_set_that_cannot_be_read_says_why(stand: Stand, name: str) -> None:
    with pytest.raises(BadInput) as refused:
        stand.analysed(name)
    assert refused.value.code == REFUSED[name][2]
    sentence, hint = describe(refused.value.defect)
    assert "datumaro:" not in sentence and hint


@pytest.mark.parametrize("name", FOUND)
def test_what_datumaro_accepts_is_looked_at_again(stand: Stand, name: str) -> None:
    found = stand.analysed(name)
    assert FOUND[name][2] in found.defect_counts


@pytest.mark.parametrize("name", ["negative", "outside", "not finite"])
def test_a_defect_of_an_object_names_its_image(stand: Stand, name: str) -> None:
    found = next(one for one in stand.analysed(name).defects if one.code == FOUND[name][2])
    assert (found.path, found.line) == ("images/a.jpg", None)
