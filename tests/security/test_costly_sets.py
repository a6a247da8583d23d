"""Sets written to keep a worker busy or to fill its memory: small archives, large work. Time is the processor's, which
no other work on the machine changes."""

import time
from pathlib import Path
from typing import Any

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.archives import Member, Staged
from apps.datasets.defects import DefectLog
from apps.datasets.formats.yolo import YoloLimits
from apps.datasets.formats.yolo.description import read_list
from apps.datasets.formats.yolo.layout import Tree
from tests.factories.evaluation import PNG

pytestmark = pytest.mark.security

SECONDS = 5.0


def staged(folder: Path, files: dict[str, bytes]) -> Staged:
    members = []
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        members.append(Member(name, len(content)))
    return Staged(folder, members)


def analysed(folder: Path, files: dict[str, bytes]) -> Any:
    """The analysis; fails when it took the processor longer than a page may take."""
    found = staged(folder, files)
    begun = time.process_time()
    analysis = analyse(found)
    assert time.process_time() - begun < SECONDS
    return analysis


SET = {"images/train/a.png": PNG, "labels/train/a.txt": b"0 0.5 0.5 0.1 0.1\n"}


def test_a_path_of_a_hundred_thousand_parts_is_missing_at_once(tmp_path: Path) -> None:
    description = b"names: [a]\nval: images/train\ntrain: " + b"x/" * 100_000 + b"\n"
    analysis = analysed(tmp_path, {**SET, "data.yaml": description})
    assert analysis.defect_counts["yolo.split_missing"] == 1


def test_a_listed_path_of_a_million_parts_is_missing_at_once(tmp_path: Path) -> None:
    listed = b"images/train/a.png\n" + b"x/" * 1_000_000 + b"y.png\n"
    analysis = analysed(tmp_path, {**SET, "train.txt": listed})
    assert analysis.defect_counts["yolo.listed_image_missing"] == 1


def test_a_long_way_to_a_file_of_the_set_is_still_found(tmp_path: Path) -> None:
    tree = Tree(staged(tmp_path, SET))
    assert tree.find("/mnt/" + "x/" * 100 + "images/train/a.png", []) == "images/train/a.png"
    assert tree.find("C:\\data\\images\\train", []) == "images/train"


def test_a_list_that_is_named_ten_thousand_times_is_read_once(tmp_path: Path) -> None:
    lists = b", ".join([b"train.txt"] * 10_000)
    description = b"names: [a]\nval: images/train\ntrain: [" + lists + b"]\n"
    files = {**SET, "data.yaml": description, "train.txt": b"images/train/a.png\n" * 10_000}
    assert analysed(tmp_path, files).images == 1


def test_an_image_that_is_listed_again_and_again_is_kept_once(tmp_path: Path) -> None:
    tree = Tree(staged(tmp_path, {**SET, "train.txt": b"images/train/a.png\n" * 50_000}))
    assert read_list(tree, "train.txt", [], DefectLog(), YoloLimits()) == ["images/train/a.png"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "train.txt", "images/train/b.txt", "classes.txt", "obj.names", "README.md"]
)
def test_a_text_larger_than_memory_is_never_read_whole(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = staged(tmp_path, {**SET, name: b""})
    size = 1 << 40
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 33)
    found.members = [Member(one.path, size if one.path == name else one.size) for one in found.members]
    read = Path.read_bytes

    def watched(path: Path) -> bytes:
        assert path.stat().st_size < 1 << 20, f"{path.name} is read whole"
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", watched)
    assert analyse(found).images <= 1
