"""What every writer takes and gives: items one by one, a folder, and a count of what was lost."""

import os
import posixpath
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.losses import Losses
from apps.datasets.formats.model import Annotation

DEFAULT_SPLIT = "train"
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
#: Folders that say what lies in them or which split it is; a written set has its own.
STRUCTURE = frozenset({"images", "jpegimages", "train", "val", "valid", "test"})


@dataclass(frozen=True, slots=True)
class WritableItem:
    """One image to write. `path` is relative; `open` returns its bytes as a new stream, None leaves the image out.

    Where a set is packed (`packing.SetPack`), `sha256` and `size` say which bytes of a store they are.
    """

    path: str
    split: str | None
    width: int
    height: int
    annotation: Annotation | None
    open: Callable[[], BinaryIO] | None = None
    sha256: str = ""
    size: int = 0


@dataclass(slots=True)
class Written:
    """What a writer has written."""

    images: int = 0
    objects: int = 0
    losses: Losses = field(default_factory=Losses)


def as_table(classes: Sequence[ClassInfo | str]) -> tuple[ClassInfo, ...]:
    """The classes, of which the name alone may be given."""
    return tuple(ClassInfo(found) if isinstance(found, str) else found for found in classes)


class SetFolder:
    """A folder that is filled with a set. Folders are made once; no two images get one path or one label."""

    @staticmethod
    def of(target: "Path | SetFolder") -> "SetFolder":
        """What a writer was given: a folder to fill, or what takes the set otherwise."""
        return target if isinstance(target, SetFolder) else SetFolder(target)

    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root)
        self._made: set[str] = set()
        self._stems: set[str] = set()
        #: Folder of an image → what is kept of it, with a slash.
        self._inner: dict[str, str] = {}
        os.makedirs(self.root, exist_ok=True)

    def place(self, folder: str, path: str, losses: Losses) -> str:
        """Where an image goes: its path below `folder`, without leading folders of structure, under a free stem."""
        above, _, name = path.rpartition("/")
        inner = self._inner.get(above)
        if inner is None:
            parts = above.split("/") if above else []
            while parts and parts[0].lower() in STRUCTURE:
                parts = parts[1:]
            inner = "".join(f"{part}/" for part in parts if part.lower() not in ("images", "labels"))
            self._inner[above] = inner
        stem, ending = posixpath.splitext(name)
        stem = inner + stem
        free, number = stem, 1
        while (key := f"{folder}/{free}".casefold()) in self._stems:
            number += 1
            free = f"{stem}-{number}"
        self._stems.add(key)
        if number > 1:
            losses.add("renamed", path)
        return f"{folder}/{free}{ending}" if folder else f"{free}{ending}"

    def locate(self, path: str) -> str:
        """The path on the disk of a file to be written; its folder exists."""
        folder = path.rpartition("/")[0]
        if folder not in self._made:
            os.makedirs(f"{self.root}/{folder}", exist_ok=True)
            self._made.add(folder)
        return f"{self.root}/{path}"

    def copy(self, item: WritableItem, path: str) -> None:
        if item.open is None:
            return
        with item.open() as source, open(self.locate(path), "xb") as target:
            shutil.copyfileobj(source, target)

    def write(self, path: str, text: str) -> None:
        # Half the time of a text file's: a set has as many of these as images.
        descriptor = os.open(self.locate(path), NEW_FILE, 0o666)
        try:
            rest = text.encode()
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)


def count_lost_classes(classes: Iterable[ClassInfo], losses: Losses, *, colors: bool, keypoints: bool) -> None:
    """Count what a format drops of the class table: its colours, and its keypoints with their lines."""
    for found in classes:
        if colors and found.color is not None:
            losses.add("colors", found.name)
        if keypoints and found.keypoints:
            losses.add("keypoint_names", found.name)
