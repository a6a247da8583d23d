"""The paths of a set: which are images, what a path written elsewhere means, which split a folder names."""

import posixpath
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from apps.datasets.archives import Member, Staged
from apps.datasets.defects import BadInput
from apps.datasets.images import is_image_name

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
        self.images_set = frozenset(self.images)
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

    def bounded(self, path: str, limit: int) -> bytes:
        """The file, which is read only where it is not too big."""
        size = self.files[path].size
        if size > limit:
            raise BadInput("text.too_big", path, bytes=size, limit=limit)
        return self.staged.read(path)


def split_by_folder(path: str) -> str | None:
    """Return the split that the innermost telling folder of `path` names."""
    for part in reversed(path.split("/")[:-1]):
        if split := SPLIT_NAMES.get(part.lower()):
            return split
    return None
