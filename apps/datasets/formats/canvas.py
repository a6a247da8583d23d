"""The picture that labels in pixels were drawn on: which one it was, and shapes brought onto the upright one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.datasets.defects import ERROR, WARNING, DefectLog
from apps.datasets.formats.model import Bounds, ImageClass, Mask, OrientedBox, Polygon, Pose, Shape
from apps.datasets.images import ImageFacts
from apps.datasets.images.inspection import QUARTER_TURNS

#: What lies this far outside the picture, as a fraction of its side, is rounding, not a mistake.
TOLERANCE = 1e-3


class Wrong(Exception):
    """An annotation that cannot be taken: code and parameters of the defect."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Canvas(NamedTuple):
    """The picture that annotations were drawn on: its size in pixels."""

    width: int
    height: int


def drawn_on(
    given: tuple[int, int] | None, facts: ImageFacts, log: DefectLog, path: str, line: int | None, image: str
) -> tuple[Canvas, bool]:
    """The picture that was drawn on, and whether it is the one as stored that is shown turned by a quarter.

    `given` is the size that the labels' file, `path`, says; another than the picture's is a defect.
    """
    here = facts.width, facts.height
    if given is None or given == here:
        return Canvas(*here), False
    if given == here[::-1] and facts.orientation in QUARTER_TURNS:
        log.add("shape.turned", WARNING, path, line, image=image)
        return Canvas(*given), True
    log.add(
        "shape.image_size",
        ERROR,
        path,
        line,
        image=image,
        width=given[0],
        height=given[1],
        real_width=here[0],
        real_height=here[1],
    )
    return Canvas(*here), False


def clipped(box: Sequence[float], canvas: Canvas) -> tuple[Bounds, bool]:
    """The box cut at the picture's border, and whether that is worth a word. Raises `Wrong` where nothing is left."""
    x, y, width, height = box
    across, down = canvas
    if 0 <= x and 0 <= y and 0 < width <= across - x and 0 < height <= down - y:
        return (x, y, width, height), False
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, across), min(y + height, down)
    if width <= 0 or height <= 0 or left >= right or top >= bottom:
        raise Wrong("shape.empty")
    reach = max(-x / across, -y / down, (x + width) / across - 1, (y + height) / down - 1)
    return (left, top, right - left, bottom - top), reach > TOLERANCE


def upright(shape: Shape, orientation: int, canvas: Canvas) -> Shape:
    """A shape that was drawn on the picture as stored, on the picture as its orientation (5 to 8) shows it.

    Raises `Wrong` for a mask, whose runs would have to be counted anew.
    """
    if isinstance(shape, Mask):
        raise Wrong("shape.mask_turned")
    if isinstance(shape, Polygon):
        return shape._replace(parts=tuple(_turned(part, orientation, canvas) for part in shape.parts))
    if isinstance(shape, OrientedBox):
        return shape._replace(corners=_turned(shape.corners, orientation, canvas))
    if isinstance(shape, ImageClass):
        return shape
    x, y, width, height = shape[1:5]
    first_x, first_y, second_x, second_y = _turned((x, y, x + width, y + height), orientation, canvas)
    left, top = min(first_x, second_x), min(first_y, second_y)
    shape = shape._replace(x=left, y=top, width=height, height=width)
    if isinstance(shape, Pose):
        points = list(shape.points)
        for index in range(0, len(points), 3):
            if points[index + 2]:
                points[index : index + 2] = _turned(points[index : index + 2], orientation, canvas)
        shape = shape._replace(points=tuple(points))
    return shape


def _turned(values: Sequence[float], orientation: int, canvas: Canvas) -> tuple[float, ...]:
    turned: list[float] = []
    for index in range(0, len(values), 2):
        x, y = values[index], values[index + 1]
        # 5 is mirrored along the diagonal, 6 and 8 are turned, 7 is mirrored along the other diagonal.
        turned += (
            canvas.height - y if orientation in (6, 7) else y,
            canvas.width - x if orientation in (7, 8) else x,
        )
    return tuple(turned)
