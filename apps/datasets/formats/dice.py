"""`dice`: `images/` and one COCO-style `annotations.json` beside it, which holds everything that the model knows.

What it adds to COCO: a split for each image and whether anybody has labelled it, corners of turned boxes, classes of
whole images (annotations without a shape), and colours of classes.
"""

import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.coco.finding import HEAD, is_document
from apps.datasets.formats.coco.parsing import CocoSet
from apps.datasets.formats.coco.writing import Document, categories
from apps.datasets.formats.tree import Guess, Tree
from apps.datasets.formats.writing import SetFolder, WritableItem, Written, as_table

DOCUMENT = "annotations.json"
MARK = {"format": "dice", "version": 1}


def document_of(tree: Tree) -> str | None:
    """The document of a set that is laid out so: one `annotations.json`, every image in `images/` beside it."""
    found = [path for path in tree.ending_with(DOCUMENT) if posixpath.basename(path) == DOCUMENT]
    if len(found) != 1 or not tree.images:
        return None
    folder = posixpath.join(posixpath.dirname(found[0]), "images/")
    return found[0] if all(path.startswith(folder) for path in tree.images) else None


def detect(tree: Tree) -> Guess:
    """Say how much the set looks like `dice`: by its layout, and surely where the document says so."""
    path = document_of(tree)
    head = tree.staged.head(path, HEAD) if path is not None else b""
    if path is None or not is_document(head):
        return Guess("dice", 0.0, "dice.layout")
    if b'"format": "dice"' in head[:200] or b'"format":"dice"' in head[:200]:
        return Guess("dice", 0.99, "dice.mark")
    return Guess("dice", 0.9, "dice.layout")


class DiceSet(CocoSet):
    """A COCO set of one document."""

    def _paths(self) -> list[str]:
        path = document_of(self.tree)
        return [] if path is None else [path]


def write_dice(
    items: Iterable[WritableItem],
    classes: Sequence[ClassInfo | str],
    folder: Path | SetFolder,
    *,
    task: str = "detect",
) -> Written:
    """Write the set into `folder`; nothing is lost but the paths' leading folders."""
    written = Written()
    target = SetFolder.of(folder)
    table = categories(as_table(classes), is_dice=True)
    document = Document(target.locate(DOCUMENT), table, MARK | {"task": task}, is_dice=True)
    try:
        for item in items:
            path = target.place("images", item.path, written.losses)
            target.copy(item, path)
            written.images += 1
            more: dict[str, Any] = {} if item.split is None else {"split": item.split}
            if item.annotation is None:
                more["labelled"] = False
            number = document.add_image(path.partition("/")[2], item, more)
            for shape in item.annotation.objects if item.annotation is not None else ():
                document.add_object(number, shape, item, written.losses)
                written.objects += 1
    finally:
        document.close()
    return written
