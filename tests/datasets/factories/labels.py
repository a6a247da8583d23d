"""Labelled sets of every task, made from a seed, and the way from the model into a format and back."""

import io
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.datasets.archives import walk
from apps.datasets.defects import DefectLog
from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.model import (
    Annotation,
    Box,
    ImageClass,
    Mask,
    OrientedBox,
    ParsedItem,
    Polygon,
    Pose,
    Shape,
    bounds,
)
from apps.datasets.formats.registry import FORMATS, guess_format, set_class
from apps.datasets.formats.tree import Tree
from apps.datasets.formats.writing import WritableItem, Written
from tests.datasets.factories.images import encoded

WIDTH, HEIGHT = 96, 64
POINTS = ("head", "left hand", "right hand")
CLASSES = (ClassInfo("cat", "#aa3300"), ClassInfo("dog"), ClassInfo("가위 & <paper>", "#00ff7f"))
PERSON = (ClassInfo("person", keypoints=POINTS, skeleton=((0, 1), (0, 2))),)


@dataclass
class Labelled:
    """A set in memory: its items, and the bytes of their images."""

    items: list[WritableItem]
    classes: tuple[ClassInfo, ...]


def classes_of(task: str) -> tuple[ClassInfo, ...]:
    if task == "classify":
        return (*CLASSES[:2], ClassInfo("가위 & 종이", "#00ff7f"))
    return PERSON if task == "pose" else CLASSES


def make_set(task: str, *, seed: int = 0, images: int = 7) -> Labelled:
    """Images of three splits and of none; one has no objects, and one nobody has labelled (but for classes)."""
    randomness = random.Random(f"{task}/{seed}")
    classes = classes_of(task)
    items = []
    for number in range(images):
        data = encoded(width=WIDTH, height=HEIGHT, seed=1000 * seed + number)
        shapes = [make_shape(task, randomness, len(classes)) for _ in range(1 if task == "classify" else number)]
        annotation = Annotation.of(shapes)
        split = ("train", "val", "test")[number % 3]
        is_left_out = number == images - 1 and task != "classify"
        items.append(
            WritableItem(
                f"images/{split}/{number:03d}.jpg",
                split,
                WIDTH,
                HEIGHT,
                None if is_left_out else annotation,
                lambda data=data: io.BytesIO(data),
            )
        )
    return Labelled(items, classes)


def make_shape(task: str, randomness: random.Random, classes: int) -> Shape:
    number = randomness.randrange(classes)
    if task == "classify":
        return ImageClass(number)
    x, y = randomness.uniform(25, 70), randomness.uniform(25, 38)
    width, height = randomness.uniform(8, 20), randomness.uniform(8, 20)
    if task == "detect":
        return Box(number, x - width / 2, y - height / 2, width, height)
    if task == "pose":
        points: list[float] = []
        for _ in POINTS:
            visible = randomness.choice([0, 1, 2])
            points += (x + randomness.uniform(-4, 4), y + randomness.uniform(-4, 4), visible) if visible else (0, 0, 0)
        return Pose(number, x - width / 2, y - height / 2, width, height, tuple(points))
    turn = randomness.uniform(0, math.pi)
    corners = 4 if task == "obb" else randomness.randint(3, 9)
    ring = []
    for corner in range(corners):
        angle = turn + 2 * math.pi * corner / corners
        ring += [x + width * math.cos(angle), y + width * math.sin(angle)]
    return OrientedBox(number, tuple(ring)) if task == "obb" else Polygon(number, (tuple(ring),))


def square_mask(class_id: int = 0, *, width: int = WIDTH, height: int = HEIGHT) -> Mask:
    """A square of 10 pixels with a hole of 2 in it, from column and row 20 on."""
    counts = [20 * height]
    for column in range(10):
        above, *runs = [20, 4, 2, 4] if column in (4, 5) else [20, 10]
        counts[-1] += above
        counts += [*runs, height - 30]
    counts[-1] += height * (width - 30)
    return Mask(class_id, height, width, tuple(counts))


def write(format_name: str, labelled: Labelled, folder: Path, task: str) -> Written:
    return FORMATS[format_name].write(labelled.items, labelled.classes, folder, task=task)


def read(folder: Path, task: str | None) -> tuple[list[ParsedItem], Any, DefectLog]:
    """The set in a folder as its own format is told: its items, its parser, and what was wrong."""
    tree = Tree(walk(folder))
    log = DefectLog()
    guess = guess_format(tree, task)
    parsed = set_class(guess.format)(tree, log, wanted=task)
    parsed.format = guess.format
    return list(parsed.items()), parsed, log


def again(items: Iterable[ParsedItem], parsed: Any) -> Labelled:
    """What was read, to be written again."""
    found = []
    for item in items:
        data = parsed.staged.read(item.path)
        found.append(
            WritableItem(
                item.path,
                item.split,
                item.facts.width,
                item.facts.height,
                item.annotation,
                lambda data=data: io.BytesIO(data),
            )
        )
    return Labelled(found, parsed.table)


def values_of(shape: Shape) -> tuple[float, ...]:
    if isinstance(shape, Polygon):
        return tuple(value for part in shape.parts for value in part)
    if isinstance(shape, Mask):
        return shape.counts
    if isinstance(shape, OrientedBox):
        return shape.corners
    if isinstance(shape, Pose):
        return (*shape[1:5], *shape.points)
    return () if isinstance(shape, ImageClass) else tuple(shape[1:5])


def comparable(labelled: Labelled) -> dict[bytes, Any]:
    """By the bytes of each image: its split, and its objects by the names of their classes."""
    found = {}
    for item in labelled.items:
        rows = None
        if item.annotation is not None:
            rows = sorted(
                (
                    labelled.classes[shape.class_id].name,
                    type(shape).__name__,
                    shape.attributes,
                    tuple(round(value, 2) + 0.0 for value in values_of(shape)),
                )
                for shape in item.annotation.objects
            )
        found[item.open().read()] = (item.split, rows)
    return found


def as_boxes(labelled: Labelled) -> Labelled:
    """The same set with the box around each object in its place."""
    items = []
    for item in labelled.items:
        annotation = item.annotation
        if annotation is not None:
            annotation = Annotation.of(Box(shape.class_id, *bounds(shape)) for shape in annotation.objects)
        items.append(WritableItem(item.path, item.split, item.width, item.height, annotation, item.open))
    return Labelled(items, labelled.classes)
