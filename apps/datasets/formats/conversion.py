"""Taking a shape for what a format can hold; what that costs is counted."""

from collections.abc import Callable

from modelyard_trainer.outlines import Ring, joined, mask_rings

from apps.datasets.formats.losses import Losses
from apps.datasets.formats.model import Bounds, Box, Mask, OrientedBox, Polygon, Pose, Shape, bounds

BOX_LOSS: dict[type, str] = {
    Polygon: "outline_to_box",
    Mask: "mask_to_box",
    OrientedBox: "turned_to_box",
    Pose: "keypoints_dropped",
}


def as_bounds(shape: Shape, path: str, losses: Losses) -> Bounds | None:
    """The box of a shape; None for the class of an image, and for a mask of no pixels."""
    found = bounds(shape)
    if found is None:
        losses.add("class_of_image", path)
        return None
    if loss := BOX_LOSS.get(type(shape)):
        losses.add(loss, path)
    return found


def as_rings(shape: Shape, path: str, losses: Losses) -> list[Ring]:
    """The outlines of a shape; [] for the class of an image."""
    if isinstance(shape, Polygon):
        return list(shape.parts)
    if isinstance(shape, Mask):
        losses.add("mask_to_outline", path)
        return mask_rings(shape.counts, shape.height)
    if isinstance(shape, OrientedBox):
        losses.add("turned_to_outline", path)
        return [shape.corners]
    found = bounds(shape)
    if found is None:
        losses.add("class_of_image", path)
        return []
    losses.add("box_to_outline" if isinstance(shape, Box) else "keypoints_dropped", path)
    return [corners_of(found)]


def as_ring(shape: Shape, path: str, losses: Losses) -> Ring | None:
    """One outline of a shape; several parts are joined."""
    rings = as_rings(shape, path, losses)
    if len(rings) > 1:
        losses.add("parts_joined", path)
        return joined(rings)
    return rings[0] if rings else None


def as_corners(shape: Shape, path: str, losses: Losses) -> Ring | None:
    """The four corners of a shape."""
    if isinstance(shape, OrientedBox):
        return shape.corners
    if isinstance(shape, Box):
        losses.add("box_to_turned", path)
        return corners_of((shape.x, shape.y, shape.width, shape.height))
    found = as_bounds(shape, path, losses)
    return None if found is None else corners_of(found)


def corners_of(found: Bounds) -> Ring:
    """The corners of a box from the upper left, clockwise."""
    left, top, width, height = found
    return left, top, left + width, top, left + width, top + height, left, top + height


def inside(ring: Ring, width: int, height: int, cut: Callable[[], None]) -> Ring:
    """The ring with every point moved into the picture; `cut` is called where one was outside."""
    if all(0 <= value <= (height if index % 2 else width) for index, value in enumerate(ring)):
        return ring
    cut()
    return tuple(min(max(value, 0.0), float(height if index % 2 else width)) for index, value in enumerate(ring))
