"""Parsing a whole COCO set: its documents once, then one pass over the images."""

import os
import posixpath
from collections.abc import Iterator

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats.canvas import Canvas, Wrong, drawn_on, upright
from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.coco.documents import ImageRow, Index, Place, open_documents
from apps.datasets.formats.coco.finding import chosen, documents_of
from apps.datasets.formats.coco.objects import ObjectReader
from apps.datasets.formats.coco.stream import read_value
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.model import Annotation, ParsedItem, Shape
from apps.datasets.formats.sets import AnnotatedSet, OnImage
from apps.datasets.formats.tree import Guess, Tree, split_by_folder
from apps.datasets.images import ImageFacts, ImageLimits

#: The tasks in the order in which annotations speak for them: those with outlines mostly have boxes too.
NATURAL = ("obb", "pose", "segment", "detect", "classify")
KEPT = (".md", ".json")


def detect(tree: Tree) -> Guess:
    """Say how much the set looks like COCO: by the beginning of its JSON files."""
    return Guess("coco", 0.85 if tree.images and documents_of(tree) else 0.0, "coco.document")


class CocoSet(AnnotatedSet):
    """Images and one or more documents that list them with their annotations."""

    def __init__(
        self,
        tree: Tree,
        log: DefectLog,
        *,
        wanted: str | None = None,
        limits: SetLimits | None = None,
        image_limits: ImageLimits | None = None,
    ) -> None:
        super().__init__(tree, log, wanted=wanted, limits=limits, image_limits=image_limits)
        paths = chosen(self._paths(), wanted, log)
        if not paths:
            raise BadInput("coco.no_document")
        self.description_path = paths[0]
        self.index = Index(tree, log, self.limits, paths)
        self._table = tuple(self.index.table.values())
        kinds = self.index.kinds
        natural = next((task for task in NATURAL if kinds[task]), None)
        # Whatever has a shape has a box.
        has_boxes = any(kinds[task] for task in ("detect", "segment", "pose", "obb"))
        able = {task for task, count in kinds.items() if count} | ({"detect"} if has_boxes else set())
        self.task = wanted if wanted in able else natural
        self._left_out = kinds[natural] if natural is not None and natural != self.task else 0
        self._natural = natural
        self._plain = 0
        self._reader = ObjectReader(self.limits)
        self._descriptors: list[int] = []
        self._check_files(set(paths))

    def _paths(self) -> list[str]:
        return documents_of(self.tree)

    @property
    def table(self) -> tuple[ClassInfo, ...]:
        return self._table

    def items(self, on_image: OnImage | None = None) -> Iterator[ParsedItem]:
        self._descriptors = open_documents(self.tree, self.index.documents)
        try:
            yield from super().items(on_image)
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors = []

    def _split(self, path: str) -> str | None:
        number = self.index.numbers.get(path)
        return split_by_folder(path) if number is None else self.index.rows[number].split

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        number = self.index.numbers.get(path)
        if number is None:
            self.log.add("coco.image_unlisted", WARNING, path)
            return None
        row = self.index.rows[number]
        if self.index.count(number) > self.limits.objects_per_image:
            self.log.add("coco.objects_per_image", ERROR, path, limit=self.limits.objects_per_image)
            return None
        if (size := self.index.size_of(number)) > self.limits.image_bytes:
            self.log.add("coco.image_big", ERROR, path, bytes=size, limit=self.limits.image_bytes)
            return None
        if not row.is_labelled and not self.index.count(number):
            return None
        if facts is None:
            return None
        canvas, is_turned = self._canvas(row, facts)
        shapes: dict[Shape, None] = {}
        for place in self.index.places(number):
            shape = self._shape(path, place, canvas, facts.orientation if is_turned else 1)
            if shape is None:
                continue
            if shape in shapes:
                document = self.index.documents[place.document]
                self.log.add("shape.duplicate", WARNING, document.path, place.line, image=path)
            shapes[shape] = None
        return Annotation.of(shapes)

    def _canvas(self, row: ImageRow, facts: ImageFacts) -> tuple[Canvas, bool]:
        given = (row.width, row.height) if row.width is not None and row.height is not None else None
        return drawn_on(given, facts, self.log, self.index.documents[row.document].path, row.line, row.path)

    def _shape(self, image: str, place: Place, canvas: Canvas, orientation: int) -> Shape | None:
        document = self.index.documents[place.document]
        found = read_value(os.pread(self._descriptors[place.document], place.length, place.start))
        # Most programs write the whole document into one line: it alone tells nobody where to look.
        which = {"image": image, "annotation": found.get("id")}
        try:
            category = document.categories.get(found.get("category_id"))
        except TypeError:
            category = None
        if category is None:
            params = {**which, "id": found.get("category_id")}
            self.log.add("coco.category_unknown", ERROR, document.path, place.line, **params)
            return None
        task = self.task or "detect"
        try:
            shape = self._reader.read(found, category.number, category.keypoints, canvas, task)
            if orientation != 1:
                shape = upright(shape, orientation, canvas)
        except Wrong as wrong:
            self.log.add(wrong.code, ERROR, document.path, place.line, **{**which, **wrong.params})
            return None
        for code in self._reader.warnings:
            self.log.add(code, WARNING, document.path, place.line, **which)
        return shape

    def _check_files(self, used: set[str]) -> None:
        for path in self.tree.paths:
            if path in self.tree.images_set or path in used:
                continue
            if not posixpath.basename(path).lower().endswith(KEPT):
                self.log.add("set.file_ignored", WARNING, path)

    def _finish(self) -> None:
        if self._left_out and self._natural is not None:
            self.log.add(
                "coco.shapes_left_out",
                WARNING,
                self.description_path,
                objects=self._left_out,
                task=self._natural,
                wanted=self.task,
            )
