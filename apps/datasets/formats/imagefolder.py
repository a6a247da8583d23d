"""Folders of images named after what they show: `<split>/<class>/image.jpg`, as torchvision and Ultralytics read them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from os.path import commonprefix
from pathlib import Path

from apps.datasets.archives.paths import FORBIDDEN, LEFT_BEHIND
from apps.datasets.defects import WARNING, DefectLog
from apps.datasets.formats import text
from apps.datasets.formats.classes import ClassInfo, check_names, class_table
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.losses import Losses
from apps.datasets.formats.model import Annotation, ImageClass
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import SPLIT_NAMES, Guess, Tree
from apps.datasets.formats.writing import (
    DEFAULT_SPLIT,
    SetFolder,
    WritableItem,
    Written,
    as_table,
    count_lost_classes,
)
from apps.datasets.images import ImageFacts, ImageLimits

CLASSES = "classes.txt"
#: What a folder's name may not hold on one system or another.
UNFIT = re.compile(r"[/\\:*?]|" + FORBIDDEN.pattern)
FOLDER_BYTES = 200
CLASSES_BYTES = 1 << 20
#: Folders that say what kind of file they hold, never what the images show.
NO_CLASSES = frozenset({"images", "jpegimages", "imgs", "img", "photos", "pictures", "data"})


def common_folder(paths: Sequence[str]) -> str:
    """The folder that the whole set lies in, with a slash, without those that are a split or the only class."""
    folders = [path.split("/")[:-1] for path in paths]
    shared = commonprefix(folders)
    split = next((index for index, name in enumerate(shared) if name.lower() in SPLIT_NAMES), None)
    if split is not None:
        shared = shared[:split]
    elif any(len(folder) == len(shared) for folder in folders):
        shared = shared[:-1]
    return "".join(f"{name}/" for name in shared)


def place_of(path: str, prefix: str) -> tuple[str | None, str | None]:
    """The split and the class that an image's folders name."""
    parts = path[len(prefix) :].split("/")[:-1]
    split = SPLIT_NAMES.get(parts[0].lower()) if parts else None
    if split is not None:
        parts = parts[1:]
    return split, parts[0] if parts else None


def detect(tree: Tree) -> Guess:
    """Say how much the folders look like classes: below splits surely, without splits by their number."""
    prefix = common_folder(tree.images)
    splits, classes = set(), Counter[str]()
    for path in tree.images:
        split, name = place_of(path, prefix)
        splits.add(split)
        if name is not None and name.lower() not in NO_CLASSES:
            classes[name] += 1
    named = classes.total()
    if not named or named < len(tree.images) * 0.9:
        return Guess("imagefolder", 0.0, "imagefolder.folders")
    if splits - {None}:
        return Guess("imagefolder", 0.9, "imagefolder.splits")
    return Guess("imagefolder", 0.6 if len(classes) > 1 else 0.3, "imagefolder.folders")


class ImageFolderSet(AnnotatedSet):
    """Images that their folders name. Classes are in the order of `classes.txt`, else by name."""

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
        self.task = "classify"
        self._prefix = common_folder(tree.images)
        names = {name for path in tree.images if (name := place_of(path, self._prefix)[1]) is not None}
        listed = self._listed()
        table = [*listed, *sorted(names - set(listed))]
        self._table = class_table(check_names(table, self.description_path, None, log, self.limits.classes))
        self._numbers = {name: number for number, name in enumerate(table)}
        for path in tree.paths:
            if path not in tree.images_set and path != self.description_path and not path.lower().endswith(".md"):
                log.add("set.file_ignored", WARNING, path)

    def _listed(self) -> list[str]:
        path = self._prefix + CLASSES
        if path not in self.tree.files:
            return []
        self.description_path = path
        content = text.decode(self.tree.bounded(path, CLASSES_BYTES), path, self.log, limit=CLASSES_BYTES)
        return list(dict.fromkeys(line.strip() for line in content.splitlines() if line.strip()))

    @property
    def table(self) -> tuple[ClassInfo, ...]:
        return self._table

    def _split(self, path: str) -> str | None:
        return place_of(path, self._prefix)[0]

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        name = place_of(path, self._prefix)[1]
        if name is None:
            self.log.add("imagefolder.no_class", WARNING, path)
            return None
        return Annotation((ImageClass(self._numbers[name]),))


def write_imagefolder(
    items: Iterable[WritableItem],
    classes: Sequence[ClassInfo | str],
    folder: Path | SetFolder,
    *,
    task: str = "classify",
) -> Written:
    """Write the set into folders of splits and classes, with `classes.txt` for the order of the classes.

    An image whose objects are of several classes goes to the one that occurs most often.
    """
    table = as_table(classes)
    written = Written()
    losses = written.losses
    count_lost_classes(table, losses, colors=True, keypoints=True)
    target = SetFolder.of(folder)
    names = _folder_names(table, losses)
    for item in items:
        if item.annotation is None or not item.annotation.objects:
            losses.add("unlabelled_left_out" if item.annotation is None else "background", item.path)
            continue
        number = _class_of(item.annotation, item.path, losses)
        losses.add("split_default", item.path, item.split is None)
        inner = _without_class(item.path, names[number])
        target.copy(item, target.place(f"{item.split or DEFAULT_SPLIT}/{names[number]}", inner, losses))
        written.images += 1
        written.objects += 1
    target.write(CLASSES, "".join(f"{name}\n" for name in names))
    return written


def _class_of(annotation: Annotation, path: str, losses: Losses) -> int:
    whole = [shape for shape in annotation.objects if isinstance(shape, ImageClass)]
    losses.add("attributes", path, any(shape.attributes for shape in whole))
    if whole:
        losses.add("other_classes", path, len(whole) - 1)
        return whole[0].class_id
    losses.add("objects_to_class", path)
    counts = Counter(shape.class_id for shape in annotation.objects)
    return max(counts, key=lambda number: (counts[number], -number))


def _without_class(path: str, name: str) -> str:
    """The path below the folder of the class, where it lies in one already."""
    parts = path.split("/")
    for index, part in enumerate(parts[:-1]):
        if part == name:
            return "/".join(parts[index + 1 :])
    return path


def _folder_names(table: Sequence[ClassInfo], losses: Losses) -> list[str]:
    """A folder for each class: its name, without what a folder may not be called."""
    names: list[str] = []
    taken: set[str] = set()
    for found in table:
        clean = UNFIT.sub("_", found.name).strip(". ").encode()[:FOLDER_BYTES].decode(errors="ignore") or "_"
        if clean.lower() in SPLIT_NAMES or clean.lower() in NO_CLASSES or clean.lower() in LEFT_BEHIND:
            clean += "_"
        free, number = clean, 1
        while free.casefold() in taken:
            number += 1
            free = f"{clean}-{number}"
        taken.add(free.casefold())
        if free != found.name:
            losses.add("class_renamed", found.name)
        names.append(free)
    return names
