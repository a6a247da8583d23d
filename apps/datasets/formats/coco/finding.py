"""Which files of a set are COCO documents, which split they are of, and which images they name."""

import posixpath
import re

from apps.datasets.defects import WARNING, DefectLog
from apps.datasets.formats.coco.stream import OTHER_MARKS
from apps.datasets.formats.tree import SPLIT_NAMES, Tree, split_by_folder

HEAD = 1 << 16
MOST_DOCUMENTS = 100


def is_document(head: bytes) -> bool:
    """Whether a JSON file begins like a COCO document, also in UTF-16, to be told so."""
    if head.startswith(OTHER_MARKS):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore")
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    if b'"image_id"' in head and b'"annotations"' in head:
        return True
    return b'"images"' in head and any(key in head for key in (b'"annotations"', b'"categories"', b'"file_name"'))


def documents_of(tree: Tree) -> list[str]:
    """The COCO documents of a set, those nearest to the top first."""
    paths = tree.ending_with(".json")[: 2 * MOST_DOCUMENTS]
    return [path for path in paths if is_document(tree.staged.head(path, HEAD))][:MOST_DOCUMENTS]


def split_of(path: str) -> str | None:
    """The split that a document's name speaks of (`instances_train2017.json`), else the folder it lies in."""
    stem = posixpath.basename(path).rpartition(".")[0].lower()
    for word in re.split(r"[^a-z]+", stem):
        if word in SPLIT_NAMES:
            return SPLIT_NAMES[word]
    return split_by_folder(path)


def chosen(paths: list[str], wanted: str | None, log: DefectLog) -> list[str]:
    """Of several documents about the same images, those that the task needs: instances, or keypoints of persons."""
    by_kind: dict[str, list[str]] = {}
    for path in paths:
        name = posixpath.basename(path).lower()
        kind = next((kind for kind in ("instances", "person_keypoints", "captions") if name.startswith(kind)), "")
        by_kind.setdefault(kind, []).append(path)
    left_out = by_kind.pop("captions", [])
    if "instances" in by_kind and "person_keypoints" in by_kind:
        left_out += by_kind.pop("instances" if wanted == "pose" else "person_keypoints")
    for path in left_out:
        log.add("coco.document_ignored", WARNING, path)
    return sorted(path for kind in by_kind.values() for path in kind)


class ImageFinder:
    """Finds the image that a document names, below the folders where such images lie."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._folders: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] | None = None

    def find(self, name: str, document: str, split: str | None) -> str | None:
        """The path in the set of `name`, which may have been written on another machine; None where it is not."""
        bases = self._folders.setdefault(document, [])
        name = name.replace("\\", "/")
        for base in bases:
            if f"{base}{name}" in self.tree.images_set:
                return f"{base}{name}"
        found = self._search(name, document, split)
        if found is not None and found.endswith(name) and len(bases) < 8:
            bases.append(found[: len(found) - len(name)])
        return found

    def _search(self, name: str, document: str, split: str | None) -> str | None:
        here = posixpath.dirname(document)
        above = posixpath.dirname(here)
        bases = list(dict.fromkeys([here, posixpath.join(here, "images"), above, posixpath.join(above, "images")]))
        found = self.tree.find(name, bases)
        if found in self.tree.images_set:
            return found
        if self._names is None:
            self._names = {}
            for path in self.tree.images:
                self._names.setdefault(posixpath.basename(path), []).append(path)
        same = self._names.get(posixpath.basename(name), [])
        if len(same) > 1:
            same = [path for path in same if split is not None and _folder_split(path) == split]
        return same[0] if len(same) == 1 else None


def _folder_split(path: str) -> str | None:
    """The split that a folder names, also as `train2017`."""
    for part in reversed(path.split("/")[:-1]):
        word = re.split(r"[^a-z]+", part.lower())[0]
        if word in SPLIT_NAMES:
            return SPLIT_NAMES[word]
    return None
