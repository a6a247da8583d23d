"""Finding one's way in a YOLO set: which YAML describes it, which image has which label, which image is in which split."""

import posixpath
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from apps.datasets.archives import Member, Staged
from apps.datasets.images import is_image_name

YAML_ENDINGS = (".yaml", ".yml")
CLASS_FILES = ("classes.txt", "obj.names", "data.names", "_darknet.labels")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """How sure a format is that a set is its own, 0 to 1, and the code of the reason."""

    format: str
    confidence: float
    reason: str


class Tree:
    """The paths of a set, to be asked for files, folders and what lies in them."""

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        self.files: dict[str, Member] = {member.path: member for member in staged.members}
        self.paths = sorted(self.files)
        self.images = [path for path in self.paths if is_image_name(path)]
        self.folders = {""}
        self._deepest = max((path.count("/") + 1 for path in self.paths), default=0)
        for path in self.paths:
            folder = posixpath.dirname(path)
            while folder and folder not in self.folders:
                self.folders.add(folder)
                folder = posixpath.dirname(folder)

    def ending_with(self, *endings: str) -> list[str]:
        """The files with one of these endings, those nearest to the top first."""
        found = [path for path in self.paths if path.lower().endswith(endings)]
        return sorted(found, key=lambda path: (path.count("/"), path))

    def images_under(self, folder: str) -> Iterator[str]:
        if not folder:
            yield from self.images
            return
        prefix = folder + "/"
        for index in range(bisect_left(self.images, prefix), len(self.images)):
            if not self.images[index].startswith(prefix):
                return
            yield self.images[index]

    def find(self, written: str, bases: list[str]) -> str | None:
        """Return the file or folder that a path written on some machine means, or None.

        Tried below each of `bases` and the top: the path as it is, then without its leading parts one by one, so that
        `C:\\data\\set\\train\\images` and `../train/images` find `train/images`.
        """
        parts = [part for part in written.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        bases = [*dict.fromkeys([*bases, ""])]
        if not parts:
            return bases[0] if bases[0] in self.folders else None
        # A longer path than the longest of the set is none of it, and may have been written to keep us busy.
        for start in range(max(0, len(parts) - self._deepest), len(parts)):
            rest = "/".join(parts[start:])
            for base in bases:
                path = f"{base}/{rest}" if base else rest
                if path in self.files or path in self.folders:
                    return path
        return None

    def label_of(self, image: str) -> str | None:
        """Return the label file of an image: in the `labels` folder beside its `images` folder, or beside itself."""
        folder, _, name = image.rpartition("/")
        stem = name.rpartition(".")[0] + ".txt"
        parts = folder.split("/") if folder else []
        for index in range(len(parts) - 1, -1, -1):
            if parts[index].lower() == "images":
                for labels in ("labels", "Labels", "LABELS"):
                    path = "/".join([*parts[:index], labels, *parts[index + 1 :], stem])
                    if path in self.files:
                        return path
                break
        for path in (posixpath.join(folder, stem), posixpath.join(folder, "labels", stem)):
            if path in self.files:
                return path
        # `train/a.jpg` with `labels/train/a.txt`, the labels' folder standing at the top of the set.
        for index in range(len(parts)):
            path = "/".join([*parts[:index], "labels", *parts[index:], stem])
            if path in self.files:
                return path
        return None


def split_by_folder(path: str) -> str | None:
    """Return the split that the innermost telling folder of `path` names."""
    for part in reversed(path.split("/")[:-1]):
        if split := SPLIT_NAMES.get(part.lower()):
            return split
    return None


def looks_like_rows(head: bytes) -> bool:
    """Whether a text begins with a row of at least five numbers, or is empty, as label files do."""
    first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").split(b"\n", 1)[0].split()
    if not first:
        return True
    try:
        return len(first) >= 5 and all(isinstance(float(value), float) for value in first[:5])
    except ValueError:
        return False


def in_labels_folder(path: str) -> bool:
    return "labels" in path.lower().split("/")[:-1]


def detect(tree: Tree) -> Guess:
    """Say how much the set looks like YOLO, by its names and a look into one label."""
    texts = [path for path in tree.ending_with(".txt") if posixpath.basename(path) not in CLASS_FILES]
    has_labels = next((path for path in texts if in_labels_folder(path)), None)
    has_description = any(
        posixpath.basename(path) in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
        for path in tree.ending_with(*YAML_ENDINGS)
    )
    if has_description and tree.images:
        return Guess("yolo", 0.99, "yolo.description")
    if has_labels and tree.images:
        return Guess("yolo", 0.9, "yolo.labels_folder")
    paired = next((label for image in tree.images[:50] if (label := tree.label_of(image))), None)
    if paired is not None and looks_like_rows(tree.staged.head(paired, 4096)):
        return Guess("yolo", 0.8, "yolo.labels_beside")
    if tree.ending_with(*YAML_ENDINGS) and tree.images:
        return Guess("yolo", 0.6, "yolo.description")
    return Guess("yolo", 0.0, "yolo.nothing")
