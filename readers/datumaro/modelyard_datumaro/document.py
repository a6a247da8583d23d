"""Writing what was read as a DICE document that names the images where they lie."""

import json
import os
from collections import Counter
from typing import Any

from modelyard_datumaro.reading import Part
from modelyard_datumaro.shapes import Choice, ClassTable, Losses, objects_of

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
NO_SUBSET = "default"
#: Subsets that are none: datumaro's own word, and the usual name of a file of labels.
NO_SUBSETS = (NO_SUBSET, "annotations")
#: Notes beside images that only number them.
NUMBERING = ("frame", "id")
IMAGES = "images/"


class Images:
    """Where the images of the set lie, as paths below its folder."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        self.files: set[str] = set()
        self.names: Counter[str] = Counter()
        self.by_name: dict[str, str] = {}
        for parent, _folders, names in os.walk(self.folder):
            for name in names:
                path = os.path.relpath(os.path.join(parent, name), self.folder)
                self.files.add(path)
                self.names[name] += 1
                self.by_name[name] = path

    def path_of(self, item: Any) -> tuple[str, bool]:
        """The path of an item's image and whether it is there; where a document names another machine's, the only file
        of that name."""
        written = str(getattr(item.media, "path", "") or "") if item.media is not None else ""
        if not written:
            return str(item.id), False
        path = os.path.relpath(os.path.realpath(os.path.join(self.folder, written)), self.folder)
        if path in self.files:
            return path, True
        name = written.replace("\\", "/").rpartition("/")[2]
        if self.names[name] == 1:
            return self.by_name[name], True
        return name, False


def write(
    parts: list[Part], folder: str, target: str, losses: Losses, *, task: str, unnamed: str, knows_empty: bool
) -> dict[str, Any]:
    """Write the document `target`; returns what the portal wants to know: images and what has no place there.

    Where a set has both classes of whole images and objects in them, those are taken that `task` is about. `unnamed` is
    the class of objects that have none; `knows_empty` says that the format tells an image in which there is nothing
    from one that nobody has looked at. `target` must be there: this process may write into it, and create nothing.
    """
    images, table = Images(folder), ClassTable(unnamed)
    found: dict[str, list[tuple[Any, list[str]]]] = {}
    there: set[str] = set()
    for part in parts:
        names = table.add(part.categories)
        for item in part.items:
            path, is_there = images.path_of(item)
            found.setdefault(path, []).append((item, names))
            there |= {path} if is_there else set()
            table.count_points(item.annotations, names)
    table.settle_points()
    choice = Choice(task, (found for part in parts for item in part.items for found in item.annotations))
    # Pictures that all lie in `images/` keep their paths.
    is_inside = all(path.startswith(IMAGES) for path in there)
    with open(target, "w", encoding="utf-8") as file:
        file.write('{"info": {"format": "dice", "version": 1},\n"annotations": [')
        count = 0
        for number, (path, same) in enumerate(found.items(), 1):
            for item, names in same:
                for row in objects_of(choice.of(item.annotations, path, losses), names, table, path, losses):
                    count += 1
                    file.write(_line(count, {"id": count, "image_id": number, **row}))
        file.write('\n],\n"images": [')
        for number, (path, same) in enumerate(found.items(), 1):
            row = {"id": number, "file_name": path.removeprefix(IMAGES) if is_inside and path in there else path}
            file.write(_line(number, row | _image(path, [item for item, _names in same], knows_empty, losses)))
        # Last, since an object without a class has made one.
        file.write(f'\n],\n"categories": {json.dumps(table.rows(), ensure_ascii=False)}}}\n')
    return {"images": sorted(there), "is_inside": is_inside, "losses": losses.as_list()}


def _image(path: str, items: list[Any], knows_empty: bool, losses: Losses) -> dict[str, Any]:
    row: dict[str, Any] = {}
    subset = str(items[0].subset or NO_SUBSET)
    if split := SPLITS.get(subset.lower()):
        row["split"] = split
    elif subset not in NO_SUBSETS:
        losses.add("subsets", path)
    if not knows_empty and not any(item.annotations for item in items):
        row["labelled"] = False
    losses.add("image_attributes", path, sum(name not in NUMBERING for item in items for name in item.attributes))
    return row


def _line(number: int, row: dict[str, Any]) -> str:
    return f"{',' if number > 1 else ''}\n{json.dumps(row, ensure_ascii=False)}"
