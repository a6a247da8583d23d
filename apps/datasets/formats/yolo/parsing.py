"""Parsing a whole YOLO set: one pass over the images, each with its label."""

import hashlib
import posixpath
from collections.abc import Callable, Iterator

from apps.datasets.archives import Staged
from apps.datasets.defects import ERROR, WARNING, BadInput, Defect, DefectLog
from apps.datasets.formats import text
from apps.datasets.formats.model import Annotation, Box, ParsedItem
from apps.datasets.formats.yolo.description import describe_set
from apps.datasets.formats.yolo.layout import CLASS_FILES, Tree, in_labels_folder, looks_like_rows, split_by_folder
from apps.datasets.formats.yolo.limits import YoloLimits
from apps.datasets.formats.yolo.rows import Edges, RowParser
from apps.datasets.images import ImageFacts, ImageLimits, inspect

#: Called after each image with its size in bytes.
OnImage = Callable[[int], None]


class YoloSet:
    """A YOLO set in a staging folder. `classes` and `task` are final once `items` has been read to its end."""

    def __init__(
        self,
        tree: Tree,
        log: DefectLog,
        *,
        limits: YoloLimits | None = None,
        image_limits: ImageLimits | None = None,
    ) -> None:
        self.tree = tree
        self.log = log
        self.limits = limits or YoloLimits()
        self.image_limits = image_limits or ImageLimits()
        self.description = describe_set(tree, log, self.limits)
        self.labels = {image: label for image in tree.images if (label := tree.label_of(image)) is not None}
        self.task = "detect"
        self._rows = RowParser(
            log,
            classes=None if self.description.classes is None else len(self.description.classes),
            keypoint_values=self.description.keypoint_values,
            limits=self.limits,
        )
        self._highest_class = -1
        self._check_pairs()

    @property
    def staged(self) -> Staged:
        return self.tree.staged

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names by number; numbers as names where the set names none."""
        if self.description.classes is not None:
            return self.description.classes
        return tuple(str(number) for number in range(self._highest_class + 1))

    def items(self, on_image: OnImage | None = None) -> Iterator[ParsedItem]:
        """Yield every sound image in path order with its annotation; what is wrong goes to the log.

        Raises BadInput when the set as a whole goes beyond its limits.
        """
        for path in self.tree.images:
            member = self.tree.files[path]
            facts, digest = self._image(path, member.size, member.sha256)
            annotation = self._annotation(path, facts)
            if facts is not None:
                split = self._split(path)
                yield ParsedItem(path, split, digest, member.size, facts, annotation, self.labels.get(path))
            if on_image is not None:
                on_image(member.size)
        self._finish()

    def _image(self, path: str, size: int, sha256: str | None) -> tuple[ImageFacts | None, str]:
        """Read the image once, for its digest and its facts."""
        if size > self.image_limits.file_bytes:
            self.log.add("image.too_big", ERROR, path, limit=self.image_limits.file_bytes)
            return None, ""
        data = self.staged.read(path)
        facts, defects = inspect(data, name=path, limits=self.image_limits)
        if defects:
            self.log.extend(defects)
        return facts, sha256 or hashlib.sha256(data).hexdigest()

    def _split(self, path: str) -> str | None:
        if self.description.names_splits:
            return self.description.splits.get(path)
        return split_by_folder(path)

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        label = self.labels.get(path)
        if label is None:
            return None
        try:
            if self.tree.files[label].size > self.limits.label_bytes:
                size = self.tree.files[label].size
                raise BadInput("text.too_big", label, bytes=size, limit=self.limits.label_bytes)
            content = text.decode(self.staged.read(label), label, self.log, limit=self.limits.label_bytes)
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

    def _check_pairs(self) -> None:
        """Report what has no counterpart, before any picture is read."""
        total = sum(self.tree.files[label].size for label in set(self.labels.values()))
        if total > self.limits.labels_total_bytes:
            raise BadInput("yolo.labels_too_big", bytes=total, limit=self.limits.labels_total_bytes)
        if not self.tree.images:
            raise BadInput("set.no_images")
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
        if others.first is not None:
            self.task = others.task(self.description.keypoint_values)
            self.log.add("yolo.task_rows", ERROR, *others.first, rows=others.rows, task=self.task)
            if self.log.lenient:
                self.task = "detect"
        if self.description.classes is None and self._highest_class >= 0:
            self.log.add("yolo.classes_inferred", WARNING, classes=self._highest_class + 1)


def to_annotation(rows: list[Edges], width: int, height: int) -> Annotation:
    """Turn edges as fractions into boxes in pixels of the upright picture."""
    return Annotation.of(
        Box(class_id, left * width, top * height, (right - left) * width, (bottom - top) * height)
        for class_id, left, top, right, bottom in rows
    )
