"""The internal annotation model: what every format is parsed into and written from.

An annotation document is immutable and addressed by the sha256 of its canonical JSON, so two sets with the same labels
share it. Documents of version 1 hold plain boxes; every other kind of object, and attributes, add keys and make the
document version 2.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.datasets.formats.masks import mask_bounds
from apps.datasets.images import ImageFacts

BOXES_VERSION = 1
VERSION = 2
DECIMALS = 6
#: The names of splits inside the portal; formats translate their own (`valid`, `validation`, …) into these.
SPLITS = ("train", "val", "test")
#: What labels can be for; the values of `Dataset.task`.
TASKS = ("detect", "segment", "pose", "obb", "classify")
#: What is noted beside a shape (`iscrowd`, `difficult`, …), sorted by name.
Attributes = tuple[tuple[str, str | int | float | bool], ...]
#: Left, top, width, height in pixels of the upright picture.
Bounds = tuple[float, float, float, float]


class Box(NamedTuple):
    """A class and an axis-parallel box in pixels of the upright picture: left, top, width, height."""

    class_id: int
    x: float
    y: float
    width: float
    height: float
    attributes: Attributes = ()


class Polygon(NamedTuple):
    """An object outlined by one or more rings, each `x, y, x, y, …` without a closing point."""

    class_id: int
    parts: tuple[tuple[float, ...], ...]
    attributes: Attributes = ()


class Mask(NamedTuple):
    """An object by its pixels: lengths of runs down the columns, first of background (COCO's uncompressed RLE)."""

    class_id: int
    height: int
    width: int
    counts: tuple[int, ...]
    attributes: Attributes = ()


class Pose(NamedTuple):
    """A box with keypoints `x, y, v, …`; v is 0 not labelled (x and y are 0 then), 1 hidden, 2 visible."""

    class_id: int
    x: float
    y: float
    width: float
    height: float
    points: tuple[float, ...]
    attributes: Attributes = ()


class OrientedBox(NamedTuple):
    """A turned box by its four corners `x, y, …`, in the order of its outline."""

    class_id: int
    corners: tuple[float, ...]
    attributes: Attributes = ()


class ImageClass(NamedTuple):
    """What the image as a whole shows."""

    class_id: int
    attributes: Attributes = ()


Shape = Box | Polygon | Mask | Pose | OrientedBox | ImageClass

#: The task whose labels a shape is.
TASK_OF: dict[type, str] = {
    Box: "detect",
    Polygon: "segment",
    Mask: "segment",
    Pose: "pose",
    OrientedBox: "obb",
    ImageClass: "classify",
}


def bounds(shape: Shape) -> Bounds | None:
    """The box around a shape; None for the class of a whole image."""
    if isinstance(shape, Box | Pose):
        return shape.x, shape.y, shape.width, shape.height
    if isinstance(shape, Polygon):
        return _around([value for part in shape.parts for value in part])
    if isinstance(shape, OrientedBox):
        return _around(shape.corners)
    if isinstance(shape, Mask):
        return mask_bounds(shape.counts, shape.height)
    return None


def _around(values: Iterable[float]) -> Bounds:
    points = tuple(values)
    left, top = min(points[::2]), min(points[1::2])
    return left, top, max(points[::2]) - left, max(points[1::2]) - top


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is known to be in one image. No objects means that there is nothing to see, which is knowledge too."""

    objects: tuple[Shape, ...] = ()

    @classmethod
    def of(cls, objects: Iterable[Shape]) -> "Annotation":
        """Make the canonical annotation: coordinates rounded to 10⁻⁶ px, objects in a fixed order."""
        return cls(tuple(sorted(map(_canonical, objects), key=_order)))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The plain boxes among the objects."""
        return tuple(found for found in self.objects if isinstance(found, Box))

    @property
    def class_ids(self) -> list[int]:
        """The classes that occur, ascending, each once."""
        return sorted({found[0] for found in self.objects})

    def reclassed(self, ids: Mapping[int, int | None]) -> "Annotation":
        """The same objects under other class ids; those whose class becomes None are left out."""
        kept = [(ids[found[0]], found) for found in self.objects]
        return Annotation.of(found._replace(class_id=new) for new, found in kept if new is not None)

    def document(self) -> dict[str, Any]:
        """The JSON document, in the shape that trainers receive too: `bbox` is [left, top, width, height]."""
        plain = all(type(found) is Box and not found.attributes for found in self.objects)
        return {
            "version": BOXES_VERSION if plain else VERSION,
            "objects": [object_document(found) for found in self.objects],
        }

    def canonical(self) -> bytes:
        """The document as canonical JSON: keys sorted, no spaces, ASCII, finite numbers only."""
        return canonical_json(self.document())

    def digest(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Annotation":
        """Read back what `document` made. Raises ValueError for another version."""
        if document.get("version") not in (BOXES_VERSION, VERSION):
            raise ValueError(f"annotation documents of version {document.get('version')!r} are not known")
        return cls.of(object_of(found) for found in document["objects"])


def object_document(shape: Shape) -> dict[str, Any]:
    """One object as JSON; all but the class of a whole image have `bbox`, so that any can be taken for its box."""
    found: dict[str, Any] = {"class": shape.class_id}
    if (around := bounds(shape)) is not None:
        found["bbox"] = [round(value, DECIMALS) + 0.0 for value in around]
    if isinstance(shape, Polygon):
        found["polygon"] = [list(part) for part in shape.parts]
    elif isinstance(shape, Mask):
        found["mask"] = {"size": [shape.height, shape.width], "counts": list(shape.counts)}
    elif isinstance(shape, Pose):
        found["keypoints"] = list(shape.points)
    elif isinstance(shape, OrientedBox):
        found["corners"] = list(shape.corners)
    if shape.attributes:
        found["attributes"] = dict(shape.attributes)
    return found


def object_of(found: Mapping[str, Any]) -> Shape:
    """Read back what `object_document` made."""
    number = found["class"]
    attributes: Attributes = tuple(sorted(found.get("attributes", {}).items()))
    if "polygon" in found:
        return Polygon(number, tuple(map(tuple, found["polygon"])), attributes)
    if "mask" in found:
        height, width = found["mask"]["size"]
        return Mask(number, height, width, tuple(found["mask"]["counts"]), attributes)
    if "keypoints" in found:
        x, y, width, height = found["bbox"]
        return Pose(number, x, y, width, height, tuple(found["keypoints"]), attributes)
    if "corners" in found:
        return OrientedBox(number, tuple(found["corners"]), attributes)
    if "bbox" in found:
        x, y, width, height = found["bbox"]
        return Box(number, x, y, width, height, attributes)
    return ImageClass(number, attributes)


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    # Adding 0.0 makes -0.0 and 0.0 one value.
    return tuple(round(float(value), DECIMALS) + 0.0 for value in values)


def _canonical_polygon(shape: Polygon) -> Polygon:
    return shape._replace(parts=tuple(sorted(map(_rounded, shape.parts))))


def _canonical_pose(shape: Pose) -> Pose:
    x, y, width, height = _rounded(shape[1:5])
    return Pose(shape.class_id, x, y, width, height, _rounded(shape.points), shape.attributes)


CANONICAL: dict[type, Callable[[Any], Shape]] = {
    Polygon: _canonical_polygon,
    Pose: _canonical_pose,
    OrientedBox: lambda shape: shape._replace(corners=_rounded(shape.corners)),
    Mask: lambda shape: shape,
    ImageClass: lambda shape: shape,
}


def _canonical(shape: Shape) -> Shape:
    if type(shape) is Box:
        number, x, y, width, height, attributes = shape
        return Box(
            number,
            round(float(x), DECIMALS) + 0.0,
            round(float(y), DECIMALS) + 0.0,
            round(float(width), DECIMALS) + 0.0,
            round(float(height), DECIMALS) + 0.0,
            attributes,
        )
    return CANONICAL[type(shape)](shape)


KINDS = {kind: number for number, kind in enumerate((Box, Polygon, Mask, Pose, OrientedBox, ImageClass))}


def _order(shape: Shape) -> tuple[Any, ...]:
    """By class and place; what is equal so far by kind, then by all that is said of it."""
    if type(shape) is Box:
        return (*shape[:5], 0, repr(shape.attributes) if shape.attributes else "")
    return (shape.class_id, *(bounds(shape) or (0.0, 0.0, 0.0, 0.0)), KINDS[type(shape)], repr(shape))


def canonical_json(value: object) -> bytes:
    """Serialise so that equal values give equal bytes. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One image of a set. `annotation` is None where nobody has labelled it; `split` where the set names none."""

    path: str
    split: str | None
    sha256: str
    size: int
    facts: ImageFacts
    annotation: Annotation | None
    label_path: str | None = None
