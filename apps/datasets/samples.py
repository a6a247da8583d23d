"""Made-up sets for trying the portal out: circles, squares and triangles on noisy gradients, labelled, from a seed.

The shapes are large (radius 0.12 to 0.24 of the side), turned by up to 20°, of random colours that stand out from the
background, and hardly overlap, so that a small detector learns them in about a minute on a processor.
"""

import io
import math
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from apps.datasets.formats.model import Annotation, Box
from apps.datasets.formats.yolo.writing import description_text, label_text

CLASSES = ("circle", "square", "triangle")
RADIUS = (0.12, 0.24)
TURN = 20.0
MOST_SHAPES = 3
NOISE = 0.18
CONTRAST = 140
QUALITY = 90

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: its JPEG bytes and the boxes in it."""

    name: str
    split: str
    jpeg: bytes
    annotation: Annotation


def make_samples(*, train: int = 240, val: int = 60, size: int = 128, seed: int = 0) -> Iterator[Sample]:
    """Yield `train` + `val` pictures of `size` × `size` pixels; the same arguments give the same pictures."""
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            # A generator for each picture: adding pictures to one split changes no other picture.
            randomness = random.Random(f"{seed}/{split}/{number}")
            jpeg, boxes = draw_picture(randomness, size)
            yield Sample(f"{split}-{number:04d}.jpg", split, jpeg, Annotation.of(boxes))


def draw_picture(randomness: random.Random, size: int) -> tuple[bytes, list[Box]]:
    """Draw one picture; return its JPEG bytes and the shapes' boxes in pixels."""
    low, high = _colour(randomness, 60, 160), _colour(randomness, 60, 160)
    slope = Image.linear_gradient("L").resize((size, size)).rotate(90 * randomness.randrange(4))
    picture = Image.composite(Image.new("RGB", (size, size), low), Image.new("RGB", (size, size), high), slope)
    noise = Image.frombytes("RGB", (size, size), randomness.randbytes(3 * size * size))
    picture = Image.blend(picture, noise, NOISE)
    middle = tuple((a + b) // 2 for a, b in zip(low, high, strict=True))
    pen = ImageDraw.Draw(picture)
    boxes: list[Box] = []
    centres: list[tuple[float, float, float]] = []
    for _ in range(randomness.randint(1, MOST_SHAPES)):
        place = _free_place(randomness, size, centres)
        if place is None:
            continue
        centres.append(place)
        class_id = randomness.randrange(len(CLASSES))
        boxes.append(_draw_shape(pen, class_id, place, _standing_out(randomness, middle), randomness))
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=QUALITY)
    return target.getvalue(), boxes


def _colour(randomness: random.Random, low: int, high: int) -> Colour:
    return randomness.randint(low, high), randomness.randint(low, high), randomness.randint(low, high)


def _standing_out(randomness: random.Random, background: tuple[int, ...]) -> Colour:
    """Draw colours until one differs enough from the background."""
    while True:
        colour = _colour(randomness, 0, 255)
        if sum(abs(a - b) for a, b in zip(colour, background, strict=True)) >= CONTRAST:
            return colour


def _free_place(
    randomness: random.Random, size: int, taken: list[tuple[float, float, float]]
) -> tuple[float, float, float] | None:
    """Find a centre and radius that touch no earlier shape; None after some tries."""
    for _ in range(20):
        radius = randomness.uniform(*RADIUS) * size
        x, y = randomness.uniform(radius, size - radius), randomness.uniform(radius, size - radius)
        if all(math.hypot(x - other[0], y - other[1]) > radius + other[2] for other in taken):
            return x, y, radius
    return None


def _draw_shape(
    pen: ImageDraw.ImageDraw,
    class_id: int,
    place: tuple[float, float, float],
    colour: Colour,
    randomness: random.Random,
) -> Box:
    x, y, radius = place
    if CLASSES[class_id] == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        return Box(class_id, x - radius, y - radius, 2 * radius, 2 * radius)
    corners = 4 if CLASSES[class_id] == "square" else 3
    first = 45.0 if corners == 4 else -90.0
    turn = randomness.uniform(-TURN, TURN)
    angles = [math.radians(first + turn + 360 / corners * corner) for corner in range(corners)]
    points = [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
    pen.polygon(points, fill=colour)
    left, right = min(point[0] for point in points), max(point[0] for point in points)
    top, bottom = min(point[1] for point in points), max(point[1] for point in points)
    return Box(class_id, left, top, right - left, bottom - top)


def sample_files(*, train: int = 240, val: int = 60, size: int = 128, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield (relative path, bytes) of a whole YOLO set: images, labels and `data.yaml`."""
    splits = {}
    for sample in make_samples(train=train, val=val, size=size, seed=seed):
        splits[sample.split] = True
        yield f"images/{sample.split}/{sample.name}", sample.jpeg
        label = f"labels/{sample.split}/{sample.name.removesuffix('.jpg')}.txt"
        yield label, label_text(sample.annotation, size, size).encode()
    yield "data.yaml", description_text(CLASSES, splits).encode()


def write_sample_set(folder: Path, *, train: int = 240, val: int = 60, size: int = 128, seed: int = 0) -> Path:
    """Write a YOLO set into `folder` and return its `data.yaml`."""
    for path, content in sample_files(train=train, val=val, size=size, seed=seed):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder / "data.yaml"


def sample_archive(*, train: int = 240, val: int = 60, size: int = 128, seed: int = 0) -> bytes:
    """Return a YOLO set as the bytes of a ZIP; the same arguments give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sample_files(train=train, val=val, size=size, seed=seed):
            archive.writestr(zipfile.ZipInfo(path), content)
    return target.getvalue()
