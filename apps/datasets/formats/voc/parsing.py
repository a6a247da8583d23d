"""Parsing a whole Pascal VOC set: one XML file per image, lists of the splits, and sometimes a map of the labels."""

import posixpath
import re

from apps.datasets.defects import ERROR, WARNING, BadInput, DefectLog
from apps.datasets.formats import text
from apps.datasets.formats.canvas import Canvas, Wrong, clipped, drawn_on, upright
from apps.datasets.formats.classes import ClassInfo, check_names
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.model import Annotation, Attributes, Box, Shape
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import SPLIT_NAMES, Guess, Tree, split_by_folder
from apps.datasets.formats.voc.document import VocDocument, VocObject, read_document
from apps.datasets.images import ImageFacts, ImageLimits

LABEL_MAP = "labelmap.txt"
TEXT_BYTES = 64 << 20
#: Folders that say what kind of file they hold: an image and its XML differ in them.
KINDS = frozenset({"annotations", "annotation", "xml", "xmls", "labels", "jpegimages", "images", "image"})
EDGES = ("xmin", "ymin", "xmax", "ymax")
FLAGS = ("difficult", "occluded", "truncated")
FARTHEST = 1e9
#: Not `<annotations>`, which is another format's.
ROOT = re.compile(rb"<annotation[\s>]")


def key_of(path: str) -> str:
    """What an image and its XML have in common: the path without its ending and the folders of kinds."""
    parts = path.split("/")
    stem = parts[-1].rpartition(".")[0] or parts[-1]
    return "/".join([*(part for part in parts[:-1] if part.lower() not in KINDS), stem])


def is_split_list(path: str) -> bool:
    """Whether a file is one of the lists of images that come with the format."""
    return path.lower().endswith(".txt") and "imagesets" in path.lower().split("/")[:-1]


def detect(tree: Tree) -> Guess:
    """Say how much the set looks like Pascal VOC: by a look into its XML files."""
    for path in tree.ending_with(".xml")[:5]:
        if tree.images and ROOT.search(tree.staged.head(path, 4096)):
            return Guess("pascal_voc", 0.85, "pascal_voc.document")
    return Guess("pascal_voc", 0.0, "pascal_voc.document")


class VocSet(AnnotatedSet):
    """Images with boxes in XML. Classes are those of the label map, then others as they come."""

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
        self.task = "detect"
        self._classes: dict[str, ClassInfo] = {}
        self._numbers: dict[str, int] = {}
        self._objects = 0
        documents = [path for path in tree.paths if path.lower().endswith(".xml")]
        total = sum(tree.files[path].size for path in documents)
        if total > self.limits.xml_total_bytes:
            raise BadInput("voc.too_big", bytes=total, limit=self.limits.xml_total_bytes)
        self._read_label_map()
        self.labels = self._paired(documents)
        self.splits = self._listed_splits()
        self._check_unused(set(documents))

    @property
    def table(self) -> tuple[ClassInfo, ...]:
        return tuple(self._classes.values())

    def _paired(self, documents: list[str]) -> dict[str, str]:
        """Image → its XML; what has no counterpart is reported."""
        by_key: dict[str, str] = {}
        stems: dict[str, list[str]] = {}
        for path in self.tree.images:
            other = by_key.setdefault(key_of(path), path)
            if other != path:
                self.log.add("voc.stem_shared", WARNING, path, other=other)
            stems.setdefault(posixpath.basename(path).rpartition(".")[0], []).append(path)
        labels: dict[str, str] = {}
        for path in documents:
            image = by_key.get(key_of(path))
            if image is None or image in labels:
                same = stems.get(posixpath.basename(path)[:-4], [])
                image = same[0] if len(same) == 1 and same[0] not in labels else None
            if image is None:
                self.log.add("voc.label_without_image", WARNING, path)
            else:
                labels[image] = path
        for path in self.tree.images:
            if path not in labels:
                self.log.add("voc.image_without_label", WARNING, path)
        return labels

    def _read_label_map(self) -> None:
        """`name:r,g,b:parts:actions`, one a line, as converters write it; it may be missing."""
        path = next((path for path in self.tree.ending_with(LABEL_MAP) if posixpath.basename(path) == LABEL_MAP), None)
        if path is None:
            return
        self.description_path = path
        content = text.decode(self.tree.bounded(path, 1 << 20), path, self.log, limit=1 << 20)
        rows: dict[str, str | None] = {}
        for line in content.splitlines():
            if line.strip() and not line.startswith("#"):
                name, color, *_ = [*line.rsplit(":", 3), "", ""] if line.count(":") >= 3 else [line, ""]
                rows[name.strip()] = _color(color)
        for name in check_names(list(rows), path, None, self.log, self.limits.classes):
            self._add_class(ClassInfo(name, rows[name]))

    def _add_class(self, info: ClassInfo) -> int:
        self._numbers[info.name] = len(self._classes)
        self._classes[info.name] = info
        return len(self._classes) - 1

    def _listed_splits(self) -> dict[str, str]:
        """`ImageSets/Main/train.txt` and its like: names of images without ending, one a line."""
        found: dict[str, str] = {}
        for path in self.tree.ending_with(".txt"):
            name = posixpath.basename(path).lower()[:-4]
            if name not in SPLIT_NAMES or not is_split_list(path):
                continue
            content = text.decode(self.tree.bounded(path, TEXT_BYTES), path, self.log, limit=TEXT_BYTES)
            for line in content.splitlines():
                if listed := line.strip():
                    # Lists of one class have a second column: 1, 0 or -1.
                    words = listed.rsplit(maxsplit=1)
                    stem = words[0] if len(words) == 2 and words[1] in ("1", "0", "-1") else listed
                    found.setdefault(stem.strip("\"'"), SPLIT_NAMES[name])
        return found

    def _split(self, path: str) -> str | None:
        if not self.splits:
            return split_by_folder(path)
        key = key_of(path)
        while True:
            if (split := self.splits.get(key)) is not None:
                return split
            _first, slash, key = key.partition("/")
            if not slash:
                return None

    def _label_path(self, path: str) -> str | None:
        return self.labels.get(path)

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        label = self.labels.get(path)
        if label is None:
            return None
        try:
            data = self.tree.bounded(label, self.limits.xml_bytes)
            document = read_document(data, label, self.limits.objects_per_image)
        except BadInput as refused:
            found = refused.defect
            self.log.add(found.code, ERROR, found.path, found.line, **found.params)
            return None
        self._objects += len(document.objects)
        if self._objects > self.limits.objects:
            raise BadInput("voc.too_many_objects", label, limit=self.limits.objects)
        if facts is None:
            return None
        return self._shapes(document, label, path, facts)

    def _shapes(self, document: VocDocument, label: str, path: str, facts: ImageFacts) -> Annotation:
        canvas, is_turned = drawn_on(document.size, facts, self.log, label, None, path)
        shapes: dict[Shape, None] = {}
        for found in document.objects:
            try:
                shape = self._shape(found, label, canvas)
                if is_turned:
                    shape = upright(shape, facts.orientation, canvas)
            except Wrong as wrong:
                self.log.add(wrong.code, ERROR, label, found.line, **wrong.params)
                continue
            if shape in shapes:
                self.log.add("shape.duplicate", WARNING, label, found.line)
            shapes[shape] = None
        return Annotation.of(shapes)

    def _shape(self, found: VocObject, label: str, canvas: Canvas) -> Shape:
        name = found.texts.get("name", "")
        edges = []
        for edge in EDGES:
            written = found.texts.get(f"bndbox/{edge}")
            if written is None:
                raise Wrong("voc.box_missing", edge=edge)
            edges.append(_number(written))
        left, top, right, bottom = edges
        box, is_clipped = clipped((left, top, right - left, bottom - top), canvas)
        if is_clipped:
            self.log.add("shape.clipped", WARNING, label, found.line)
        return Box(self._class(name, label, found.line), *box, _attributes(found.texts))

    def _class(self, name: str, label: str, line: int) -> int:
        number = self._numbers.get(name)
        if number is not None:
            return number
        if len(self._classes) >= self.limits.classes:
            raise BadInput("class.many", label, line, limit=self.limits.classes)
        (clean,) = check_names([name], label, line, self.log, self.limits.classes)
        number = self._numbers.get(clean)
        return self._add_class(ClassInfo(clean)) if number is None else number

    def _check_unused(self, documents: set[str]) -> None:
        for path in self.tree.paths:
            if path in self.tree.images_set or path in documents:
                continue
            is_known = is_split_list(path) or posixpath.basename(path) == LABEL_MAP
            if not is_known and not path.lower().endswith(".md"):
                self.log.add("set.file_ignored", WARNING, path)


def _number(written: str) -> float:
    try:
        number = float(written) if written.isascii() and "_" not in written else None
    except ValueError:
        number = None
    if number is None:
        raise Wrong("voc.not_a_number", value=written)
    if not -FARTHEST < number < FARTHEST:
        raise Wrong("voc.not_finite", value=written)
    return number


def _attributes(texts: dict[str, str]) -> Attributes:
    kept: dict[str, str | int | float | bool] = {name: True for name in FLAGS if texts.get(name) == "1"}
    pose = texts.get("pose", "")
    if pose and pose.lower() != "unspecified" and len(pose) <= 100 and pose.isprintable():
        kept["pose"] = pose
    return tuple(sorted(kept.items()))


def _color(written: str) -> str | None:
    parts = written.split(",")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        return "#{:02x}{:02x}{:02x}".format(*map(int, parts))
    return None
