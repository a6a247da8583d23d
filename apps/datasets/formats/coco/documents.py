"""The documents of a COCO set, read once from end to end and indexed by image.

Kept in memory are the images, the categories, and where each annotation stands in its file (25 bytes each); an
annotation itself is read again from there when its image is read.
"""

import itertools
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats.classes import COLOR, MOST_BONES, MOST_KEYPOINTS, ClassInfo, check_names
from apps.datasets.formats.coco.finding import ImageFinder, split_of
from apps.datasets.formats.coco.stream import ELEMENT_BYTES, DocumentReader, Element
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.model import SPLITS
from apps.datasets.formats.tree import Tree, split_by_folder

LONGEST_ID = 200
LONGEST_NAME = 4096

Id = int | str


class ImageRow(NamedTuple):
    """An image as its document names it. `line` is where it stands there."""

    document: int
    path: str
    width: int | None
    height: int | None
    split: str | None
    is_labelled: bool
    line: int


class Place(NamedTuple):
    """Where an annotation stands."""

    document: int
    start: int
    length: int
    line: int


class Category(NamedTuple):
    number: int
    keypoints: int


@dataclass(slots=True)
class Document:
    path: str
    split: str | None
    #: Category id → class.
    categories: dict[Id, Category] = field(default_factory=dict)


class Index:
    """What the documents of a set say, by image."""

    def __init__(self, tree: Tree, log: DefectLog, limits: SetLimits, paths: list[str]) -> None:
        self.tree = tree
        self.log = log
        self.limits = limits
        self.documents: list[Document] = []
        self.table: dict[str, ClassInfo] = {}
        #: Path of an image → its number.
        self.numbers: dict[str, int] = {}
        self.rows: list[ImageRow] = []
        self.annotated = 0
        #: How many annotations have what a task needs.
        self.kinds = {"detect": 0, "segment": 0, "pose": 0, "obb": 0, "classify": 0}
        self._starts, self._lengths, self._lines = array("q"), array("I"), array("I")
        self._images, self._of = array("i"), array("B")
        self._first, self._order = array("I"), array("I")
        self._finder = ImageFinder(tree)
        total = sum(tree.files[path].size for path in paths)
        if total > limits.document_bytes:
            raise BadInput("coco.too_big", paths[0], bytes=total, limit=limits.document_bytes)
        for path in paths:
            self._read(path)
        self._sort()

    def places(self, number: int) -> Iterator[Place]:
        """Where the annotations of an image stand, in the order of the file."""
        for found in self._order[self._first[number] : self._first[number + 1]]:
            yield Place(self._of[found], self._starts[found], self._lengths[found], self._lines[found])

    def count(self, number: int) -> int:
        return self._first[number + 1] - self._first[number]

    def size_of(self, number: int) -> int:
        """The length of an image's annotations together."""
        return sum(self._lengths[found] for found in self._order[self._first[number] : self._first[number + 1]])

    def _read(self, path: str) -> None:
        document = Document(path, split_of(path))
        self.documents.append(document)
        reading = _Reading(self, document, len(self.documents) - 1)
        with self.tree.staged.locate(path).open("rb") as stream:
            for element in DocumentReader(stream, path).elements():
                reading.take(element)
        reading.finish()

    def add(self, image: int, document: int, element: Element) -> None:
        self._images.append(image)
        self._of.append(document)
        self._starts.append(element.start)
        self._lengths.append(element.length)
        self._lines.append(element.line)
        if len(self._images) > self.limits.objects:
            raise BadInput("coco.too_many_objects", self.documents[document].path, limit=self.limits.objects)

    def number_places(self, begin: int, numbers: "array[int]") -> None:
        """Put the images' numbers in place of the ones that a document's reading gave them as their ids came."""
        for index in range(begin, len(self._images)):
            self._images[index] = numbers[self._images[index]]

    @property
    def size(self) -> int:
        return len(self._images)

    def line(self, index: int) -> int:
        return self._lines[index]

    def image(self, index: int) -> int:
        return self._images[index]

    def _sort(self) -> None:
        """Group the annotations by image, in one pass over their counts and one over themselves."""
        first = array("I", bytes(4 * (len(self.rows) + 2)))
        for image in self._images:
            if image >= 0:
                first[image + 2] += 1
        for index in range(2, len(first)):
            first[index] += first[index - 1]
        self._order = array("I", bytes(4 * len(self._images)))
        for index, image in enumerate(self._images):
            if image >= 0:
                self._order[first[image + 1]] = index
                first[image + 1] += 1
        self._first = first


class _Reading:
    """The reading of one document: its ids mean nothing beyond it."""

    def __init__(self, index: Index, document: Document, number: int) -> None:
        self.index = index
        self.log = index.log
        self.document = document
        self.number = number
        self.begin = index.size
        self.slots: dict[Id, int] = {}
        #: The number of the image behind each slot; -1 where the document has none.
        self.found = array("i")
        self.image_ids: set[Id] = set()
        self.ids = array("q")
        self.is_ascending = True
        self.categories: list[tuple[dict[str, Any], int]] = []
        self.category_bytes = 0
        self.seen: set[str] = set()

    def take(self, element: Element) -> None:
        key, value = element.key, element.value
        if key not in ("images", "annotations", "categories"):
            return
        self.seen.add(key)
        if not isinstance(value, dict):
            self.log.add("coco.shape", ERROR, self.document.path, element.line, key=key)
        elif key == "images":
            self._image(value, element.line)
        elif key == "categories":
            self.category_bytes += element.length
            if self.category_bytes > ELEMENT_BYTES:
                raise BadInput("json.element_big", self.document.path, element.line, limit=ELEMENT_BYTES)
            self.categories.append((value, element.line))
            if len(self.categories) > self.index.limits.classes:
                raise BadInput("class.many", self.document.path, element.line, limit=self.index.limits.classes)
        else:
            self._annotation(value, element)

    def _slot(self, given: Id) -> int:
        slot = self.slots.setdefault(given, len(self.found))
        if slot == len(self.found):
            self.found.append(-1)
            if slot >= self.index.limits.listed:
                raise BadInput("coco.too_many_images", self.document.path, limit=self.index.limits.listed)
        return slot

    def _image(self, value: dict[str, Any], line: int) -> None:
        path = self.document.path
        given, name = value.get("id"), value.get("file_name")
        if not is_id(given) or not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            self.log.add("coco.shape", ERROR, path, line, key="images")
            return
        if given in self.image_ids:
            self.log.add("coco.image_id_twice", ERROR, path, line, id=given)
            return
        self.image_ids.add(given)
        image = self.index._finder.find(name, path, self.document.split)
        if image is None:
            self.log.add("coco.image_missing", WARNING, path, line, image=name)
            self._slot(given)
            return
        if image in self.index.numbers:
            self.log.add("coco.image_twice", ERROR, path, line, image=image)
            self._slot(given)
            return
        number = self.index.numbers[image] = len(self.index.rows)
        width, height = value.get("width"), value.get("height")
        has_size = type(width) is int and type(height) is int
        split = value.get("split")
        self.index.rows.append(
            ImageRow(
                self.number,
                image,
                width if has_size else None,
                height if has_size else None,
                split if isinstance(split, str) and split in SPLITS else self.document.split or split_by_folder(image),
                value.get("labelled") is not False,
                line,
            )
        )
        self.found[self._slot(given)] = number

    def _annotation(self, value: dict[str, Any], element: Element) -> None:
        image, given = value.get("image_id"), value.get("id")
        if not is_id(image):
            self.log.add("coco.shape", ERROR, self.document.path, element.line, key="annotations")
            return
        if type(given) is int and -(2**62) < given < 2**62:
            self.is_ascending = self.is_ascending and (not self.ids or given > self.ids[-1])
            self.ids.append(given)
        self.index.add(self._slot(image), self.number, element)
        kinds = self.index.kinds
        if value.get("corners") is not None:
            kinds["obb"] += 1
        if value.get("keypoints"):
            kinds["pose"] += 1
        if value.get("segmentation"):
            kinds["segment"] += 1
        if value.get("bbox") is not None:
            kinds["detect"] += 1
        elif not value.get("segmentation") and value.get("corners") is None:
            kinds["classify"] += 1

    def finish(self) -> None:
        path = self.document.path
        if "images" not in self.seen:
            self.log.add("coco.no_images", ERROR, path)
        self._categories()
        self._check_ids()
        self._check_images()
        self.index.number_places(self.begin, self.found)

    def _check_ids(self) -> None:
        if self.is_ascending:
            return
        ids = sorted(self.ids)
        for first, second in itertools.pairwise(ids):
            if first == second:
                self.log.add("coco.annotation_id_twice", ERROR, self.document.path, id=first)

    def _check_images(self) -> None:
        """Report annotations of images that the document does not list."""
        listed = {slot for given, slot in self.slots.items() if given in self.image_ids}
        if len(listed) == len(self.slots):
            return
        names = {slot: given for given, slot in self.slots.items() if slot not in listed}
        for index in range(self.begin, self.index.size):
            slot = self.index.image(index)
            if slot in names:
                self.log.add("coco.image_unknown", ERROR, self.document.path, self.index.line(index), id=names[slot])

    def _categories(self) -> None:
        path, log = self.document.path, self.log
        sound: dict[Id, tuple[dict[str, Any], int]] = {}
        for value, line in self.categories:
            given = value.get("id")
            if not is_id(given) or not isinstance(value.get("name"), str):
                log.add("coco.shape", ERROR, path, line, key="categories")
            elif given in sound:
                log.add("coco.category_id_twice", ERROR, path, line, id=given)
            else:
                sound[given] = (value, line)
        names: set[str] = set()
        for given in sorted(sound, key=lambda one: (isinstance(one, str), one)):
            value, line = sound[given]
            (name,) = check_names([value["name"]], path, line, log, self.index.limits.classes)
            if name in names:
                log.add("class.duplicate", ERROR, path, line, name=name)
            names.add(name)
            info = self._info(name, value, line)
            known = self.index.table.setdefault(name, info)
            if known.keypoints != info.keypoints:
                log.add("coco.keypoints_differ", ERROR, path, line, name=name)
            number = list(self.index.table).index(name) if known is not info else len(self.index.table) - 1
            self.document.categories[given] = Category(number, len(known.keypoints))
        if len(self.index.table) > self.index.limits.classes:
            raise BadInput("class.many", path, limit=self.index.limits.classes)

    def _info(self, name: str, value: dict[str, Any], line: int) -> ClassInfo:
        path, log = self.document.path, self.log
        points = value.get("keypoints") or []
        if not isinstance(points, list) or not all(isinstance(point, str) for point in points):
            log.add("coco.shape", ERROR, path, line, key="keypoints")
            points = []
        points = check_names(points, path, line, log, MOST_KEYPOINTS)
        bones = value.get("skeleton") or []
        if (
            not isinstance(bones, list)
            or len(bones) > MOST_BONES
            or not all(
                isinstance(bone, list)
                and len(bone) == 2
                and all(type(end) is int and 0 < end <= len(points) for end in bone)
                for bone in bones
            )
        ):
            log.add("coco.skeleton", WARNING, path, line, name=name)
            bones = []
        return ClassInfo(name, _color(value.get("color")), points, tuple((a - 1, b - 1) for a, b in bones))


def _color(value: Any) -> str | None:
    """`#rrggbb`, or three numbers from 0 to 255 as panoptic sets have them."""
    if isinstance(value, str) and COLOR.fullmatch(value.lower()):
        return value.lower()
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part < 256 for part in value):
        return "#{:02x}{:02x}{:02x}".format(*value)
    return None


def is_id(value: Any) -> TypeGuard[Id]:
    """Whether this may name an image or a category."""
    return type(value) is int or (isinstance(value, str) and 0 < len(value) <= LONGEST_ID)


def open_documents(tree: Tree, documents: list[Document]) -> list[int]:
    """A descriptor for each document, to be closed by the caller."""
    return [os.open(tree.staged.locate(document.path), os.O_RDONLY | os.O_CLOEXEC) for document in documents]
