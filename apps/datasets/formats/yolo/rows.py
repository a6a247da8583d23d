"""The rows of a label file: `class centre_x centre_y width height`, the last four as fractions of the image."""

import math
from collections import Counter
from dataclasses import dataclass, field

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats.yolo.limits import YoloLimits

#: Edges this far outside the image (as a fraction of its side) are rounding, not a mistake.
TOLERANCE = 1e-3

#: A class with left, top, right and bottom edges as fractions of the image, cut at its border.
Edges = tuple[int, float, float, float, float]


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
        """The task that the rows speak for; rows of 9 values alone are four corners: oriented boxes."""
        if keypoint_values is not None and 5 + keypoint_values in self.lengths:
            return "pose"
        return "obb" if set(self.lengths) == {9} else "segment"


class RowParser:
    """Parses label files one after the other; defects go to the log, good rows come back."""

    def __init__(
        self,
        log: DefectLog,
        *,
        classes: int | None,
        keypoint_values: int | None = None,
        limits: YoloLimits | None = None,
    ) -> None:
        self.log = log
        self.limits = limits or YoloLimits()
        self.classes = classes
        self.keypoint_values = keypoint_values
        self.others = OtherTaskRows()
        self.boxes = 0
        self._class_bound = self.limits.classes if classes is None else classes

    def parse(self, text: str, path: str) -> list[Edges]:
        """Return the boxes of one file, without the rows that the log names. BadInput when there are far too many."""
        edges: list[Edges] = []
        lines: list[int] = []
        bound = self._class_bound
        # int() and float() read digits of every script and underscores; such texts take the slow way, row by row.
        plain = text.isascii() and "_" not in text
        low, high = -TOLERANCE, 1 + TOLERANCE
        for line, row in enumerate(text.split("\n"), 1):
            values = row.split()
            if not values:
                continue
            if plain and len(values) == 5:
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
                        edges.append((class_id, left, top, right, bottom))
                        lines.append(line)
                        continue
            found = self._careful(values, path, line)
            if found is not None:
                edges.append(found)
                lines.append(line)
        if len(edges) > self.limits.boxes_per_image:
            raise BadInput("yolo.boxes_per_image", path, limit=self.limits.boxes_per_image)
        if len(set(edges)) < len(edges):
            edges = self._without_duplicates(edges, lines, path)
        self.boxes += len(edges)
        if self.boxes > self.limits.boxes:
            raise BadInput("yolo.too_many_boxes", path, limit=self.limits.boxes)
        return edges

    def _without_duplicates(self, edges: list[Edges], lines: list[int], path: str) -> list[Edges]:
        kept: dict[Edges, None] = {}
        for box, line in zip(edges, lines, strict=True):
            if box in kept:
                self.log.add("yolo.box_duplicate", WARNING, path, line)
            kept[box] = None
        return list(kept)

    def _careful(self, values: list[str], path: str, line: int) -> Edges | None:
        """Read a row that is not plainly good: report what is wrong, or mend what may be mended."""
        count = len(values)
        is_pose = self.keypoint_values is not None and count == 5 + self.keypoint_values
        if count != 5 and not is_pose and (count < 7 or count % 2 == 0):
            if count >= 8:
                self.log.add("yolo.polygon_odd", ERROR, path, line, found=count - 1)
            else:
                self.log.add("yolo.column_count", ERROR, path, line, found=count)
            return None
        class_id = self._class(values[0], path, line)
        numbers = self._numbers(values[1:], path, line)
        if class_id is None or numbers is None:
            return None
        if count == 5:
            return self._edges(class_id, numbers, path, line)
        self.others.count(path, line, count)
        if not self.log.lenient:
            return None
        if is_pose:
            return self._edges(class_id, numbers[:4], path, line)
        left, right = min(numbers[::2]), max(numbers[::2])
        top, bottom = min(numbers[1::2]), max(numbers[1::2])
        outline = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        return self._edges(class_id, outline, path, line)

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

    def _numbers(self, texts: list[str], path: str, line: int) -> list[float] | None:
        numbers = []
        for text in texts:
            number = _number(text)
            if number is None:
                self.log.add("yolo.not_a_number", ERROR, path, line, value=text)
                return None
            if not math.isfinite(number):
                self.log.add("yolo.not_finite", ERROR, path, line, value=text)
                return None
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


def _number(text: str) -> float | None:
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None
