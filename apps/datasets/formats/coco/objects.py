"""One annotation of a COCO document made an object of the model, in pixels of the picture that it was drawn on."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from apps.datasets.formats.canvas import TOLERANCE, Canvas, Wrong, clipped
from apps.datasets.formats.classes import is_fit_name
from apps.datasets.formats.geometry import CrossingFinder, ring_area
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.masks import mask_area, tidied, uncompress
from apps.datasets.formats.model import (
    Attributes,
    Bounds,
    Box,
    ImageClass,
    Mask,
    OrientedBox,
    Polygon,
    Pose,
    Shape,
    bounds,
)

FARTHEST = 1e9
NUMBERS = frozenset({int, float})
MOST_ATTRIBUTES = 32
ATTRIBUTE_CHARACTERS = 200


class ObjectReader:
    """Reads annotations; `warnings` holds codes that belong to the last one read."""

    def __init__(self, limits: SetLimits) -> None:
        self.limits = limits
        self.warnings: list[str] = []
        self._crossings = CrossingFinder()

    def read(self, found: Mapping[str, Any], class_id: int, keypoints: int, canvas: Canvas, task: str) -> Shape:
        """The object as `task` needs it; a plain box where the annotation has nothing closer. Raises `Wrong`."""
        self.warnings = []
        attributes = attributes_of(found)
        if task == "classify":
            return ImageClass(class_id, attributes)
        if task == "obb" and found.get("corners") is not None:
            return OrientedBox(class_id, self._corners(found["corners"], canvas), attributes)
        segmentation = found.get("segmentation")
        if task == "segment" and segmentation:
            return self._segment(segmentation, class_id, canvas, attributes)
        points = found.get("keypoints")
        box = found.get("bbox")
        if box is None and segmentation:
            around = bounds(self._segment(segmentation, class_id, canvas, ()))
            box = None if around is None else list(around)
        elif box is None and found.get("corners") is not None:
            around = bounds(OrientedBox(class_id, self._corners(found["corners"], canvas)))
            box = None if around is None else list(around)
        if box is None:
            raise Wrong("coco.no_shape")
        x, y, width, height = self._box(box, canvas)
        if task == "pose" and points:
            return Pose(class_id, x, y, width, height, self._keypoints(points, keypoints, canvas), attributes)
        return Box(class_id, x, y, width, height, attributes)

    def _warn(self, code: str) -> None:
        if code not in self.warnings:
            self.warnings.append(code)

    def _box(self, box: Any, canvas: Canvas) -> Bounds:
        if not is_numbers(box) or len(box) != 4:
            raise Wrong("coco.box_shape")
        found, is_clipped = clipped(box, canvas)
        if is_clipped:
            self._warn("shape.clipped")
        return found

    def _ring(self, ring: Any, canvas: Canvas) -> tuple[float, ...]:
        """A ring's corners inside the picture."""
        if not is_numbers(ring) or len(ring) > self.limits.values:
            raise Wrong("coco.polygon_shape")
        if len(ring) % 2:
            raise Wrong("coco.polygon_odd", found=len(ring))
        if len(ring) < 6:
            raise Wrong("coco.polygon_short", found=len(ring) // 2)
        width, height = canvas
        columns, rows = ring[::2], ring[1::2]
        left, right, top, bottom = min(columns), max(columns), min(rows), max(rows)
        if left < 0 or top < 0 or right > width or bottom > height:
            reach = max(-left / width, right / width - 1, -top / height, bottom / height - 1)
            if reach > TOLERANCE:
                self._warn("shape.clipped")
            ring = [min(max(value, 0), height if index % 2 else width) for index, value in enumerate(ring)]
        return tuple(ring)

    def _outline(self, ring: Any, canvas: Canvas) -> tuple[float, ...]:
        inside = self._ring(ring, canvas)
        crosses = self._crossings.crosses(inside)
        if ring_area(inside) <= 0 and not crosses:
            raise Wrong("shape.empty")
        if crosses:
            self._warn("shape.crosses")
        return inside

    def _corners(self, corners: Any, canvas: Canvas) -> tuple[float, ...]:
        # Corners may stand outside the picture: cut off, the box would be turned no longer.
        if not is_numbers(corners) or len(corners) != 8:
            raise Wrong("coco.corners_shape")
        if ring_area(corners) <= 0:
            raise Wrong("shape.empty")
        return tuple(corners)

    def _segment(self, segmentation: Any, class_id: int, canvas: Canvas, attributes: Attributes) -> Polygon | Mask:
        if isinstance(segmentation, list):
            parts = tuple(self._outline(ring, canvas) for ring in segmentation)
            if sum(map(len, parts)) > self.limits.values:
                raise Wrong("coco.polygon_shape")
            return Polygon(class_id, parts, attributes)
        if not isinstance(segmentation, dict):
            raise Wrong("coco.polygon_shape")
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if isinstance(counts, str):
            try:
                counts = uncompress(counts, self.limits.runs)
            except ValueError:
                raise Wrong("coco.mask_shape") from None
        if not is_whole_numbers(counts) or not is_whole_numbers(size) or len(size) != 2:
            raise Wrong("coco.mask_shape")
        if len(counts) > self.limits.runs:
            raise Wrong("coco.mask_runs", limit=self.limits.runs)
        if size != [canvas.height, canvas.width] or min(counts) < 0 or sum(counts) != canvas.height * canvas.width:
            raise Wrong("coco.mask_size", width=canvas.width, height=canvas.height)
        counts = tidied(counts)
        if not mask_area(counts):
            raise Wrong("shape.empty")
        return Mask(class_id, canvas.height, canvas.width, counts, attributes)

    def _keypoints(self, points: Any, expected: int, canvas: Canvas) -> tuple[float, ...]:
        if not is_numbers(points):
            raise Wrong("coco.keypoints_shape")
        if len(points) != 3 * expected:
            raise Wrong("coco.keypoint_count", found=len(points), expected=3 * expected)
        found: list[float] = []
        for index in range(0, len(points), 3):
            x, y, visible = points[index : index + 3]
            if visible not in (0, 1, 2):
                raise Wrong("coco.visibility", value=visible)
            if not visible:
                x = y = 0
            elif not (0 <= x <= canvas.width and 0 <= y <= canvas.height):
                self._warn("shape.clipped")
                x, y = min(max(x, 0), canvas.width), min(max(y, 0), canvas.height)
            found += (x, y, visible)
        return tuple(found)


def is_numbers(values: Any) -> TypeGuard[list[float]]:
    """Whether this is a list of numbers that are no farther than any picture reaches."""
    return (
        isinstance(values, list)
        and bool(values)
        and set(map(type, values)) <= NUMBERS
        and -FARTHEST < min(values)
        and max(values) < FARTHEST
    )


def is_whole_numbers(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and bool(values) and set(map(type, values)) == {int} and max(values) < FARTHEST


def attributes_of(found: Mapping[str, Any]) -> Attributes:
    """`iscrowd`, and what stands under `attributes`, where it is a plain value under a plain name."""
    given = found.get("attributes")
    kept: dict[str, str | int | float | bool] = {}
    if isinstance(given, dict):
        for name, value in list(given.items())[:MOST_ATTRIBUTES]:
            if not is_fit_name(name) or not isinstance(value, str | int | float):
                continue
            if isinstance(value, str) and not (value.isprintable() and len(value) <= ATTRIBUTE_CHARACTERS):
                continue
            if not isinstance(value, str) and not -FARTHEST < value < FARTHEST:
                continue
            kept[name] = value
    if found.get("iscrowd") in (1, True):
        kept["iscrowd"] = True
    return tuple(sorted(kept.items()))
