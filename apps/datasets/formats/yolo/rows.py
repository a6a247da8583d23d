"""The rows of label files: `class` and coordinates as fractions of the image, of which each task has its own.

| task | after the class |
|---|---|
| detect | centre x, centre y, width, height |
| segment | x, y of each corner of an outline, three at least |
| pose | a box as for detect, then x, y (and how visible it is) of each keypoint |
| obb | x, y of four corners |
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats.geometry import CrossingFinder, ring_area
from apps.datasets.formats.yolo.limits import YoloLimits

#: Edges this far outside the image (as a fraction of its side) are rounding, not a mistake.
TOLERANCE = 1e-3
#: Fractions of the image's area below which an outline encloses nothing.
NO_AREA = 1e-12

#: A class with left, top, right and bottom edges as fractions of the image, cut at its border.
Edges = tuple[int, float, float, float, float]


class OutlineRow(NamedTuple):
    """A class with the corners of an outline."""

    class_id: int
    values: tuple[float, ...]


class CornersRow(NamedTuple):
    """A class with the four corners of a turned box."""

    class_id: int
    values: tuple[float, ...]


class PoseRow(NamedTuple):
    """A class with edges, and `x, y, v` of each keypoint."""

    class_id: int
    left: float
    top: float
    right: float
    bottom: float
    points: tuple[float, ...]


Row = Edges | OutlineRow | CornersRow | PoseRow


@dataclass(slots=True)
class OtherTaskRows:
    """Rows that belong to another task, told by how many values they have."""

    lengths: Counter[int] = field(default_factory=Counter)
    first: tuple[str, int] | None = None

    def count(self, path: str, line: int, length: int) -> None:
        self.lengths[length] += 1
        if self.first is None:
            self.first = (path, line)

    @property
    def rows(self) -> int:
        return self.lengths.total()

    def task(self, keypoint_values: int | None) -> str:
        return task_of(self.lengths, keypoint_values)


def task_of(lengths: Counter[int], keypoint_values: int | None) -> str:
    """The task that rows of these lengths speak for; rows of 9 values alone are four corners: oriented boxes."""
    if keypoint_values is not None and 5 + keypoint_values in lengths:
        return "pose"
    if set(lengths) <= {5}:
        return "detect"
    return "obb" if set(lengths) - {5} == {9} else "segment"


class RowParser:
    """Parses label files one after the other; defects go to the log, good rows come back.

    Rows of another task than `task` are counted in `others`; a lenient log has their boxes taken.
    """

    def __init__(
        self,
        log: DefectLog,
        *,
        classes: int | None,
        task: str = "detect",
        keypoint_shape: tuple[int, int] | None = None,
        limits: YoloLimits | None = None,
    ) -> None:
        self.log = log
        self.limits = limits or YoloLimits()
        self.classes = classes
        self.task = task
        self.keypoint_shape = keypoint_shape
        self.keypoint_values = None if keypoint_shape is None else keypoint_shape[0] * keypoint_shape[1]
        self.others = OtherTaskRows()
        self.objects = 0
        self._class_bound = self.limits.classes if classes is None else classes
        self._crossings = CrossingFinder()

    def parse(self, text: str, path: str) -> list[Row]:
        """Return the rows of one file, without those that the log names. BadInput when there are far too many."""
        rows: list[Row] = []
        lines: list[int] = []
        bound = self._class_bound
        # int() and float() read digits of every script and underscores; such texts take the slow way, row by row.
        plain = text.isascii() and "_" not in text
        boxes = plain and self.task == "detect"
        low, high = -TOLERANCE, 1 + TOLERANCE
        for line, row in enumerate(text.split("\n"), 1):
            values = row.split()
            if not values:
                continue
            if boxes and len(values) == 5:
                try:
                    class_id = int(values[0])
                    x, y, width, height = float(values[1]), float(values[2]), float(values[3]), float(values[4])
                except ValueError:
                    pass
                else:
                    left, right = x - width / 2, x + width / 2
                    top, bottom = y - height / 2, y + height / 2
                    # Written so that NaN fails: every comparison with it is false.
                    if (
                        0 <= class_id < bound
                        and width > 0
                        and height > 0
                        and low <= left < right <= high
                        and low <= top < bottom <= high
                        and right > 0
                        and left < 1
                        and bottom > 0
                        and top < 1
                    ):
                        if left < 0 or top < 0 or right > 1 or bottom > 1:
                            left, right = max(left, 0.0), min(right, 1.0)
                            top, bottom = max(top, 0.0), min(bottom, 1.0)
                        rows.append((class_id, left, top, right, bottom))
                        lines.append(line)
                        continue
            found = self._careful(values, path, line)
            if found is not None:
                rows.append(found)
                lines.append(line)
        if len(rows) > self.limits.objects_per_image:
            raise BadInput("yolo.boxes_per_image", path, limit=self.limits.objects_per_image)
        if len(set(rows)) < len(rows):
            rows = self._without_duplicates(rows, lines, path)
        self.objects += len(rows)
        if self.objects > self.limits.objects:
            raise BadInput("yolo.too_many_boxes", path, limit=self.limits.objects)
        return rows

    def _without_duplicates(self, rows: list[Row], lines: list[int], path: str) -> list[Row]:
        kept: dict[Row, None] = {}
        for row, line in zip(rows, lines, strict=True):
            if row in kept:
                self.log.add("yolo.box_duplicate", WARNING, path, line)
            kept[row] = None
        return list(kept)

    def _careful(self, values: list[str], path: str, line: int) -> Row | None:
        """Read a row that is not a plainly good box: report what is wrong, or mend what may be mended."""
        count = len(values)
        is_pose = self.keypoint_values is not None and count == 5 + self.keypoint_values
        if count != 5 and not is_pose and (self.task == "pose" or count < 7 or count % 2 == 0):
            self._miscounted(count, path, line)
            return None
        if count > self.limits.values:
            raise BadInput("yolo.row_long", path, line, limit=self.limits.values)
        class_id = self._class(values[0], path, line)
        numbers = self._numbers(values[1:], path, line, has_visibility=is_pose)
        if class_id is None or numbers is None:
            return None
        if self.task == "pose" and is_pose:
            return self._pose(class_id, numbers, path, line)
        # As long as the set says that rows with keypoints are, it is no outline, whatever is wanted.
        if self.task == "segment" and count >= 7 and not is_pose:
            return self._outline(OutlineRow(class_id, tuple(numbers)), path, line)
        if self.task == "obb" and count == 9 and not is_pose:
            return self._outline(CornersRow(class_id, tuple(numbers)), path, line)
        if self.task == "detect" and count == 5:
            return self._edges(class_id, numbers, path, line)
        self.others.count(path, line, count)
        if not self.log.lenient:
            return None
        if count == 5 or is_pose:
            return self._edges(class_id, numbers[:4], path, line)
        left, right = min(numbers[::2]), max(numbers[::2])
        top, bottom = min(numbers[1::2]), max(numbers[1::2])
        outline = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        return self._edges(class_id, outline, path, line)

    def _miscounted(self, count: int, path: str, line: int) -> None:
        if self.task == "pose" and self.keypoint_values is not None:
            self.log.add("yolo.keypoint_count", ERROR, path, line, found=count, expected=5 + self.keypoint_values)
        elif count >= 8 and self.task != "pose":
            self.log.add("yolo.polygon_odd", ERROR, path, line, found=count - 1)
        else:
            self.log.add("yolo.column_count", ERROR, path, line, found=count)

    def _class(self, text: str, path: str, line: int) -> int | None:
        number = _number(text)
        if number is None:
            self.log.add("yolo.not_a_number", ERROR, path, line, value=text)
            return None
        is_whole = math.isfinite(number) and number >= 0 and number == int(number)
        if not is_whole or not text.isdigit():
            self.log.add("yolo.class_not_integer", ERROR, path, line, value=text)
            if not is_whole or not self.log.lenient:
                return None
        if number >= self._class_bound:
            self.log.add("yolo.class_range", ERROR, path, line, value=text, classes=self._class_bound)
            return None
        return int(number)

    def _numbers(self, texts: list[str], path: str, line: int, *, has_visibility: bool) -> list[float] | None:
        numbers = []
        of_each = self.keypoint_shape[1] if self.keypoint_shape is not None else 0
        for index, text in enumerate(texts):
            number = _number(text)
            if number is None:
                self.log.add("yolo.not_a_number", ERROR, path, line, value=text)
                return None
            if not math.isfinite(number):
                self.log.add("yolo.not_finite", ERROR, path, line, value=text)
                return None
            if has_visibility and of_each == 3 and index >= 4 and (index - 4) % 3 == 2:
                if number not in (0, 1, 2):
                    self.log.add("yolo.visibility", ERROR, path, line, value=text)
                    return None
                numbers.append(number)
                continue
            if not -TOLERANCE <= number <= 1 + TOLERANCE:
                self.log.add("yolo.coordinate_range", ERROR, path, line, value=text)
                return None
            numbers.append(min(max(number, 0.0), 1.0))
        return numbers

    def _edges(self, class_id: int, box: list[float], path: str, line: int) -> Edges | None:
        x, y, width, height = box
        left, right = x - width / 2, x + width / 2
        top, bottom = y - height / 2, y + height / 2
        reach = max(-left, -top, right - 1, bottom - 1)
        left, right = max(left, 0.0), min(right, 1.0)
        top, bottom = max(top, 0.0), min(bottom, 1.0)
        if not (left < right and top < bottom):
            self.log.add("yolo.box_empty", ERROR, path, line)
            return None
        if reach > TOLERANCE:
            self.log.add("yolo.box_clipped", WARNING, path, line)
        return class_id, left, top, right, bottom

    def _outline(self, row: OutlineRow | CornersRow, path: str, line: int) -> Row | None:
        # A ring that crosses itself may enclose as much on its left as on its right.
        crosses = self._crossings.crosses(row.values)
        if ring_area(row.values) <= NO_AREA and not crosses:
            self.log.add("yolo.box_empty", ERROR, path, line)
            return None
        if crosses:
            self.log.add("shape.crosses", WARNING, path, line)
        return row

    def _pose(self, class_id: int, numbers: list[float], path: str, line: int) -> PoseRow | None:
        edges = self._edges(class_id, numbers[:4], path, line)
        if edges is None or self.keypoint_shape is None:
            return None
        of_each = self.keypoint_shape[1]
        points: list[float] = []
        for index in range(4, len(numbers), of_each):
            x, y = numbers[index : index + 2]
            visible = numbers[index + 2] if of_each == 3 else 2.0 * bool(x or y)
            points += (x, y, visible) if visible else (0.0, 0.0, 0.0)
        return PoseRow(*edges, tuple(points))


def _number(text: str) -> float | None:
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None
