"""Reads a dataset folder: the manifest at once, the items as a stream."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard_trainer.failures import Failure
from modelyard_trainer.paths import inside

SPLITS = ("train", "val", "test")
#: Training tasks that the labels of a task can teach: whatever has a shape has a box.
TEACHES: dict[str, tuple[str, ...]] = {
    "detect": ("detect",),
    "segment": ("segment", "detect"),
    "pose": ("pose", "detect"),
    "obb": ("obb", "detect"),
    "classify": ("classify",),
}


@dataclass(frozen=True)
class DatasetClass:
    """A class of the dataset; `id` is what annotations refer to, `keypoints` names the points of its poses."""

    id: int
    name: str
    keypoints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One file of the dataset. `path` is the name in the dataset, `file` where the bytes lie.

    `width` and `height` are of the upright picture in pixels, None where the item is no picture. An annotation is an
    object such as `{"class": 0, "bbox": [x, y, width, height]}` in pixels of the upright picture.
    """

    path: str
    file: Path
    split: str
    sha256: str
    size: int
    width: int | None = None
    height: int | None = None
    annotations: tuple[dict[str, Any], ...] = field(default=())


class Dataset:
    """A dataset folder as the launcher prepared it. Raises Failure `bad_data` when it cannot be read."""

    def __init__(self, manifest: str | os.PathLike[str]):
        path = Path(manifest)
        try:
            data = json.loads(path.read_bytes())
            if data["contract"] != 1:
                raise ValueError(f"contract {data['contract']} is not spoken here")
            self.name: str = data["name"]
            self.task: str = data["task"]
            self.root_hash: str = data["root_hash"]
            self.root = Path(data["root"])
            self.classes = [_class(entry) for entry in data["classes"]]
            self.counts: dict[str, int] = {split: data["counts"].get(split, 0) for split in SPLITS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Failure("bad_data", f"the dataset's manifest {path} cannot be read: {error!r}") from error

    def items(self, split: str | None = None) -> Iterator[Item]:
        """The items in path order, those of one split or all; reads one line at a time."""
        if split is not None and split not in SPLITS:
            raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
        path = self.root / "items.jsonl"
        try:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    item = self._item(line, number)
                    if split is None or item.split == split:
                        yield item
        except OSError as error:
            raise Failure("bad_data", f"{path} cannot be read: {error}") from error

    def split_file(self, split: str) -> Path:
        """The text file that names a split's pictures, one absolute path a line."""
        if split not in SPLITS:
            raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
        return self.root / f"{split}.txt"

    def split_metadata(self) -> dict[str, Any]:
        """How the items were divided: `level`, `method`, `seed`, `ratios`, `pattern`, `moved_count`, `digest`, `counts`."""
        path = self.root / "split_metadata.json"
        try:
            return dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise Failure("bad_data", f"{path} cannot be read: {error!r}") from error

    def _item(self, line: bytes, number: int) -> Item:
        try:
            data = json.loads(line)
            return Item(
                path=data["path"],
                file=inside(self.root / "files", data["path"]),
                split=data["split"],
                sha256=data["sha256"],
                size=data["size"],
                width=data.get("width"),
                height=data.get("height"),
                annotations=tuple(data.get("annotations") or ()),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Failure("bad_data", f"items.jsonl line {number} cannot be read: {error!r}") from error


def _class(entry: dict[str, Any]) -> DatasetClass:
    found = DatasetClass(entry["id"], entry["name"], tuple(entry.get("keypoints") or ()))
    if type(found.id) is not int or not all(isinstance(name, str) for name in (found.name, *found.keypoints)):
        raise TypeError(f"{entry!r} is no class")
    return found
