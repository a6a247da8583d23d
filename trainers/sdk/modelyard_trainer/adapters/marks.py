"""Annotations as adapters read them: checked, in pixels of the upright picture, cut at its edge."""

import math
from collections.abc import Iterator
from typing import Any

from modelyard_trainer.adapters.layout import size_of
from modelyard_trainer.dataset import Dataset, Item
from modelyard_trainer.failures import Failure
from modelyard_trainer.outlines import Ring, mask_rings

#: Left, top, right, bottom.
Edges = tuple[float, float, float, float]
#: The keys of an annotation that hold a task's own shape.
OWN = {"detect": ("bbox",), "segment": ("polygon", "mask", "corners"), "pose": ("keypoints",), "obb": ("corners",)}


class Mark:
    """One annotation of an item; `number` is the place of its class in the dataset's classes.

    Every method raises Failure `bad_data` for what cannot be understood.
    """

    def __init__(self, item: Item, annotation: Any, numbers: dict[int, int]):
        self.path = item.path
        self.width, self.height = size_of(item)
        try:
            self.number = numbers[annotation["class"]]
        except (KeyError, TypeError) as error:
            raise self._wrong(error) from error
        self.data: dict[str, Any] = annotation

    def has_own(self, task: str) -> bool:
        """Whether it has a shape of the task's own, and not only the box around it."""
        return any(self.data.get(key) for key in OWN[task])

    def edges(self) -> Edges | None:
        """The box; None where nothing of it lies inside the picture."""
        box = self._numbers("bbox")
        if len(box) != 4:
            raise Failure("bad_data", f"{self.path}: a box is not four finite numbers: {box}")
        left, right = max(0.0, box[0]), min(float(self.width), box[0] + box[2])
        top, bottom = max(0.0, box[1]), min(float(self.height), box[1] + box[3])
        return (left, top, right, bottom) if left < right and top < bottom else None

    def rings(self) -> list[Ring]:
        """The outline, which is of more than one ring where it has parts or holes; empty where it has no area."""
        if self.data.get("polygon"):
            rings = [self._ring(part) for part in self._list("polygon")]
        elif self.data.get("mask"):
            rings = self._mask_rings()
        else:
            corners = self.corners()
            return [] if corners is None else [corners]
        return [ring for ring in map(self._cut, rings) if ring is not None]

    def corners(self) -> Ring | None:
        """The four corners of a turned box, or of the upright one where it has no other; None where it has no area."""
        if self.data.get("corners"):
            ring = self._ring(self.data["corners"])
            if len(ring) != 8:
                raise Failure("bad_data", f"{self.path}: a turned box does not have four corners: {ring}")
            return self._cut(ring)
        edges = self.edges()
        if edges is None:
            return None
        left, top, right, bottom = edges
        return left, top, right, top, right, bottom, left, bottom

    def points(self, count: int) -> list[float]:
        """`x, y, v` of each of `count` keypoints; 0, 0, 0 for those that are not labelled or outside the picture."""
        values = self._numbers("keypoints") if self.data.get("keypoints") else []
        if len(values) % 3 or len(values) > 3 * count:
            raise Failure("bad_data", f"{self.path}: a pose has {len(values)} values, and {count} keypoints are named")
        found: list[float] = []
        for x, y, seen in zip(values[::3], values[1::3], values[2::3], strict=True):
            is_inside = seen > 0 and 0 <= x <= self.width and 0 <= y <= self.height
            found += (x, y, seen) if is_inside else (0.0, 0.0, 0.0)
        return found + [0.0] * (3 * count - len(found))

    def _numbers(self, key: str) -> list[float]:
        try:
            return self._finite(self.data[key])
        except KeyError as error:
            raise self._wrong(error) from error

    def _list(self, key: str) -> list[Any]:
        value = self.data[key]
        if not isinstance(value, list):
            raise self._wrong(TypeError(f"{key} is no list"))
        return value

    def _finite(self, values: Any) -> list[float]:
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError, OverflowError) as error:
            raise self._wrong(error) from error
        if not all(map(math.isfinite, numbers)):
            raise Failure("bad_data", f"{self.path}: coordinates are not finite numbers: {numbers[:8]}")
        return numbers

    def _ring(self, values: Any) -> Ring:
        ring = self._finite(values)
        if len(ring) < 6 or len(ring) % 2:
            raise Failure("bad_data", f"{self.path}: an outline needs three corners at least: {ring}")
        return tuple(ring)

    def _mask_rings(self) -> list[Ring]:
        try:
            size, counts = list(self.data["mask"]["size"]), list(self.data["mask"]["counts"])
            is_sound = all(type(count) is int and count >= 0 for count in counts)
        except (KeyError, TypeError) as error:
            raise self._wrong(error) from error
        # Runs of another size than the picture's lie in other places than they seem to.
        if not is_sound or size != [self.height, self.width] or sum(counts) != self.width * self.height:
            raise Failure("bad_data", f"{self.path}: the runs of a mask do not fill the picture")
        return mask_rings(counts, self.height)

    def _cut(self, ring: Ring) -> Ring | None:
        """The ring with every point moved into the picture; None when nothing of an area is left."""
        xs = [min(max(value, 0.0), float(self.width)) for value in ring[::2]]
        ys = [min(max(value, 0.0), float(self.height)) for value in ring[1::2]]
        if min(xs) == max(xs) or min(ys) == max(ys):
            return None
        return tuple(value for point in zip(xs, ys, strict=True) for value in point)

    def _wrong(self, error: Exception) -> Failure:
        return Failure("bad_data", f"{self.path}: an annotation cannot be understood: {error!r}")


def numbers_of(dataset: Dataset) -> dict[int, int]:
    """The place in the dataset's classes by the class's id."""
    return {entry.id: number for number, entry in enumerate(dataset.classes)}


def marks_of(item: Item, numbers: dict[int, int]) -> Iterator[Mark]:
    return (Mark(item, annotation, numbers) for annotation in item.annotations)


def keypoint_count(dataset: Dataset) -> int:
    """How many keypoints a pose has: as many as the class that names most. Raises Failure when none names any."""
    count = max((len(entry.keypoints) for entry in dataset.classes), default=0)
    if not count:
        raise Failure("bad_data", "no class of the dataset names keypoints", hint="Choose a dataset of poses.")
    return count


def whole_class(item: Item, numbers: dict[int, int]) -> tuple[int | None, int]:
    """The class of the whole picture, None where it has none, and how many further ones it has."""
    whole = [mark.number for mark in marks_of(item, numbers)]
    return (whole[0] if whole else None), max(0, len(whole) - 1)
