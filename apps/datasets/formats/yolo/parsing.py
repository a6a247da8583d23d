"""Parsing a whole YOLO set: one pass over the images, each with its label."""

import posixpath
from collections import Counter

from apps.datasets.defects import ERROR, WARNING, BadInput, Defect, DefectLog
from apps.datasets.formats import text
from apps.datasets.formats.classes import ClassInfo, class_table
from apps.datasets.formats.model import Annotation, Box, OrientedBox, Polygon, Pose, Shape
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import Tree, split_by_folder
from apps.datasets.formats.yolo.description import describe_set
from apps.datasets.formats.yolo.layout import CLASS_FILES, in_labels_folder, label_of, looks_like_rows
from apps.datasets.formats.yolo.limits import YoloLimits
from apps.datasets.formats.yolo.rows import CornersRow, OutlineRow, PoseRow, Row, RowParser, task_of
from apps.datasets.images import ImageFacts, ImageLimits

#: Labels that are looked at to tell the task where none is wanted.
LOOKED_AT = 1000


class YoloSet(AnnotatedSet):
    """A YOLO set in a staging folder: boxes, outlines, keypoints or turned boxes, one task for the whole set."""

    limits: YoloLimits

    def __init__(
        self,
        tree: Tree,
        log: DefectLog,
        *,
        wanted: str | None = None,
        limits: YoloLimits | None = None,
        image_limits: ImageLimits | None = None,
    ) -> None:
        limits = limits or YoloLimits()
        super().__init__(tree, log, wanted=wanted, limits=limits, image_limits=image_limits)
        self.description = describe_set(tree, log, limits)
        self.description_path = self.description.path
        self.labels = {image: label for image in tree.images if (label := label_of(tree, image)) is not None}
        self._check_sizes()
        self.task = self._row_task() if self.labels else None
        table = self.description.table
        self._rows = RowParser(
            log,
            classes=None if table is None else len(table),
            task=self.task or "detect",
            keypoint_shape=self.description.keypoint_shape,
            limits=limits,
        )
        self._highest_class = -1
        self._check_pairs()

    @property
    def table(self) -> tuple[ClassInfo, ...]:
        """The classes by number; numbers as names where the set names none."""
        table = self.description.table
        if table is not None:
            return table
        return class_table(str(number) for number in range(self._highest_class + 1))

    def _row_task(self) -> str:
        """The task that rows are read for: the one wanted, else the one that the first labels speak for."""
        if self.wanted in ("detect", "segment", "obb"):
            return self.wanted
        shape = self.description.keypoint_shape
        if self.wanted == "pose" and shape is not None:
            return "pose"
        if self.wanted == "pose":
            self.log.add("yolo.keypoints_unknown", ERROR, self.description.path)
        lengths: Counter[int] = Counter()
        labels = sorted(set(self.labels.values()))
        for label in labels[:: len(labels) // LOOKED_AT + 1]:
            if self.tree.files[label].size <= self.limits.label_bytes:
                lengths.update(len(row.split()) for row in self.staged.read(label).splitlines())
        lengths = Counter({length: count for length, count in lengths.items() if length >= 5})
        return task_of(lengths, None if shape is None else shape[0] * shape[1])

    def _split(self, path: str) -> str | None:
        if self.description.names_splits:
            return self.description.splits.get(path)
        return split_by_folder(path)

    def _label_path(self, path: str) -> str | None:
        return self.labels.get(path)

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        label = self.labels.get(path)
        if label is None:
            return None
        try:
            content = text.decode(
                self.tree.bounded(label, self.limits.label_bytes), label, self.log, limit=self.limits.label_bytes
            )
            rows = self._rows.parse(content, label)
        except BadInput as refused:
            if refused.code == "yolo.too_many_boxes":
                raise
            found: Defect = refused.defect
            self.log.add(found.code, ERROR, found.path, found.line, **found.params)
            return None
        for row in rows:
            self._highest_class = max(self._highest_class, row[0])
        if facts is None:
            return None
        return to_annotation(rows, facts.width, facts.height)

    def _check_sizes(self) -> None:
        total = sum(self.tree.files[label].size for label in set(self.labels.values()))
        if total > self.limits.labels_total_bytes:
            raise BadInput("yolo.labels_too_big", bytes=total, limit=self.limits.labels_total_bytes)

    def _check_pairs(self) -> None:
        """Report what has no counterpart, before any picture is read."""
        if not self.labels:
            self.log.add("yolo.no_labels", WARNING)
        owners: dict[str, str] = {}
        outside = 0
        for image in self.tree.images:
            label = self.labels.get(image)
            if label is None:
                if self.labels:
                    self.log.add("yolo.image_without_label", WARNING, image)
            elif (other := owners.setdefault(label, image)) != image:
                self.log.add("yolo.stem_shared", WARNING, image, other=other)
            if self.description.names_splits and image not in self.description.splits:
                outside += 1
        if outside:
            self.log.add("yolo.outside_splits", WARNING, self.description.path, images=outside)
        used = set(self.tree.images) | set(owners)
        for path in self.tree.paths:
            if path not in used and path != self.description.path:
                self._check_unused(path)

    def _check_unused(self, path: str) -> None:
        name = posixpath.basename(path).lower()
        if name in CLASS_FILES:
            return
        if name.endswith(".txt"):
            is_list = name in ("train.txt", "val.txt", "test.txt", "valid.txt")
            if in_labels_folder(path) or (not is_list and looks_like_rows(self.staged.head(path, 4096))):
                self.log.add("yolo.label_without_image", WARNING, path)
                return
            if is_list:
                return
        if not name.endswith((".yaml", ".yml", ".cache", ".md")):
            self.log.add("set.file_ignored", WARNING, path)

    def _finish(self) -> None:
        others = self._rows.others
        read_for = self._rows.task
        if others.first is not None:
            shape = self.description.keypoint_shape
            self.task = others.task(None if shape is None else shape[0] * shape[1])
            self.log.add("yolo.task_rows", ERROR, *others.first, rows=others.rows, task=self.task, wanted=read_for)
            if self.log.lenient:
                self.task = read_for
        if self.description.classes is None and self._highest_class >= 0:
            self.log.add("yolo.classes_inferred", WARNING, classes=self._highest_class + 1)


def to_annotation(rows: list[Row], width: int, height: int) -> Annotation:
    """Turn rows of fractions into objects in pixels of the upright picture."""
    return Annotation.of(_shape(row, width, height) for row in rows)


def _shape(row: Row, width: int, height: int) -> Shape:
    if isinstance(row, OutlineRow):
        return Polygon(row.class_id, (_scaled(row.values, width, height),))
    if isinstance(row, CornersRow):
        return OrientedBox(row.class_id, _scaled(row.values, width, height))
    if isinstance(row, PoseRow):
        points = [value * (width, height, 1)[index % 3] for index, value in enumerate(row.points)]
        return Pose(*_box(row[:5], width, height)[:5], tuple(points))
    return _box(row, width, height)


def _box(row: tuple[int, float, float, float, float], width: int, height: int) -> Box:
    class_id, left, top, right, bottom = row
    return Box(class_id, left * width, top * height, (right - left) * width, (bottom - top) * height)


def _scaled(values: tuple[float, ...], width: int, height: int) -> tuple[float, ...]:
    return tuple(value * (height if index % 2 else width) for index, value in enumerate(values))
