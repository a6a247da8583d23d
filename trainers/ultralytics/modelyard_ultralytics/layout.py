"""Lays a dataset out the way the library reads one: numbered pictures beside text files of normalised boxes.

The library finds the labels of `…/images/a.jpg` as `…/labels/a.txt`, skips file endings that it does not know, and may
rewrite a damaged picture in place. Numbered links in a folder of our own make it indifferent to how the dataset's files
are called and keep the originals as they are.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard_trainer import Failure
from modelyard_trainer.dataset import Dataset, DatasetClass, Item

LINKED = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Picture:
    """What a numbered link stands for: the item's path in the dataset and the upright picture's size in pixels."""

    path: str
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """A dataset laid out on disk. `pictures` maps the link's file name to its picture; names differ across splits.

    Class `i` of the library is `classes[i]`. `left_out` counts boxes that have no area inside their picture.
    """

    description: Path
    classes: tuple[DatasetClass, ...]
    pictures: dict[str, Picture]
    counts: dict[str, int]
    left_out: int


def lay_out(dataset: Dataset, folder: Path) -> Layout:
    """Writes the layout of the `train` and `val` splits into `folder`, which is made new.

    Raises Failure `bad_data` when a split or the classes are missing or an annotation cannot be understood.
    """
    classes = tuple(dataset.classes)
    if not classes:
        raise Failure("bad_data", "the dataset has no classes", hint="Add at least one class and label some pictures.")
    numbers = {entry.id: number for number, entry in enumerate(classes)}
    pictures: dict[str, Picture] = {}
    counts = {"train": 0, "val": 0}
    boxes = left_out = 0
    for split in counts:
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
    for item in dataset.items():
        if item.split not in counts:
            continue
        name = _link(item, folder / "images" / item.split, len(pictures))
        width, height = _size(item)
        lines, outside = label_lines(item, numbers, width, height)
        (folder / "labels" / item.split / f"{Path(name).stem}.txt").write_text("".join(lines), encoding="ascii")
        pictures[name] = Picture(item.path, width, height)
        counts[item.split] += 1
        boxes += len(lines)
        left_out += outside
    _require(counts, boxes)
    description = folder / "data.yaml"
    # JSON is YAML too, and needs no quoting rules of our own.
    names = {number: entry.name for number, entry in enumerate(classes)}
    content = {"path": str(folder), "train": "images/train", "val": "images/val", "names": names}
    description.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return Layout(description, classes, pictures, counts, left_out)


def _require(counts: dict[str, int], boxes: int) -> None:
    titles = {"train": "training", "val": "validation"}
    for split, count in counts.items():
        if not count:
            raise Failure(
                "bad_data",
                f"the dataset has no {titles[split]} pictures (split {split!r})",
                hint="Split the dataset so that both training and validation have pictures.",
                params={"split": split, "counts": counts},
            )
    if not boxes:
        raise Failure("bad_data", "no picture of the dataset has a box", hint="Label some pictures first.")


def _size(item: Item) -> tuple[int, int]:
    if not item.width or not item.height:
        raise Failure("bad_data", f"{item.path}: the dataset does not say how large this picture is")
    return item.width, item.height


def _link(item: Item, folder: Path, number: int) -> str:
    """Links the item's file under a numbered name, or converts it where the library would not read its format."""
    suffix = Path(item.path).suffix.lower()
    if suffix in LINKED:
        name = f"{number:08d}{suffix}"
        (folder / name).symlink_to(item.file)
        return name
    from PIL import Image, ImageOps  # import here: pictures are opened by few modes

    name = f"{number:08d}.png"
    try:
        with Image.open(item.file) as picture:
            ImageOps.exif_transpose(picture).convert("RGB").save(folder / name)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise Failure("bad_data", f"{item.path} cannot be read as a picture: {error}") from error
    return name


def label_lines(item: Item, numbers: dict[int, int], width: int, height: int) -> tuple[list[str], int]:
    """The label file's lines (class, centre x, centre y, width, height, all of the picture's size) of an item.

    Boxes are cut at the picture's edge; the second value counts those of which nothing was left.
    """
    lines, outside = [], 0
    for annotation in item.annotations:
        number, box = _checked(annotation, numbers, item.path)
        left, right = max(0.0, box[0]), min(float(width), box[0] + box[2])
        top, bottom = max(0.0, box[1]), min(float(height), box[1] + box[3])
        if right <= left or bottom <= top:
            outside += 1
            continue
        values = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        lines.append(f"{number} {' '.join(f'{value:.9f}' for value in values)}\n")
    return lines, outside


def _checked(annotation: Any, numbers: dict[int, int], path: str) -> tuple[int, Sequence[float]]:
    try:
        number = numbers[annotation["class"]]
        box = [float(value) for value in annotation["bbox"]]
    except (KeyError, TypeError, ValueError) as error:
        raise Failure("bad_data", f"{path}: an annotation cannot be understood: {error!r}") from error
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise Failure("bad_data", f"{path}: a box is not four finite numbers: {box}")
    return number, box
