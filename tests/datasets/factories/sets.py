"""YOLO sets in memory and their way through the doors."""

import io
from pathlib import Path

from apps.datasets.analysis import Analysis, analyse
from apps.datasets.archives import Staged, take_in
from tests.datasets.factories.archives import zip_of
from tests.datasets.factories.images import encoded

Files = dict[str, bytes]
ROW = b"0 0.5 0.5 0.25 0.25\n"
YAML = b"train: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n"


def yolo_files(
    label: bytes = ROW, *, yaml: bytes | None = YAML, train: int = 2, val: int = 1, both: bool = True
) -> Files:
    """A small set: the first training image has `label`, the others one box of class 1 (or 0)."""
    files: Files = {}
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            seed = number + (1000 if split == "val" else 0)
            files[f"images/{split}/{number}.jpg"] = encoded(seed=seed)
            files[f"labels/{split}/{number}.txt"] = b"1 0.5 0.5 0.5 0.5\n" if both else ROW
    files["labels/train/0.txt"] = label
    if yaml is not None:
        files["data.yaml"] = yaml
    return files


def stage(files: Files, folder: Path) -> Staged:
    return take_in(((path, io.BytesIO(content)) for path, content in files.items()), folder / "staged")


def analysed(files: Files, folder: Path, *, lenient: bool = False, task: str | None = "detect") -> Analysis:
    return analyse(stage(files, folder), task=task, lenient=lenient)


def archived(files: Files, folder: Path) -> Path:
    path = folder / "set.zip"
    path.write_bytes(zip_of(files))
    return path
