"""Writing a set in the YOLO layout: `images/<split>`, `labels/<split>` and `data.yaml`."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from apps.datasets.formats.model import SPLITS, Annotation

DEFAULT_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class WritableItem:
    """One image to write. `path` is relative; `open` returns its bytes as a new stream."""

    path: str
    split: str | None
    width: int
    height: int
    annotation: Annotation | None
    open: Callable[[], BinaryIO]


def label_text(annotation: Annotation, width: int, height: int) -> str:
    """The rows of one label file; fractions with 8 decimals, which is below 10⁻³ px for every image allowed."""
    return "".join(
        f"{box.class_id} {(box.x + box.width / 2) / width:.8f} {(box.y + box.height / 2) / height:.8f} "
        f"{box.width / width:.8f} {box.height / height:.8f}\n"
        for box in annotation.boxes
    )


def description_text(classes: Sequence[str], splits: Iterable[str]) -> str:
    """The `data.yaml`; names are written as JSON strings, which YAML reads as they are."""
    used = set(splits)
    lines = ["path: ."]
    lines += [f"{split}: images/{split}" for split in SPLITS if split in used]
    lines += [f"nc: {len(classes)}", "names:"]
    lines += [f"  {number}: {json.dumps(name, ensure_ascii=False)}" for number, name in enumerate(classes)]
    return "\n".join(lines) + "\n"


def write_yolo(items: Iterable[WritableItem], classes: Sequence[str], folder: Path) -> int:
    """Write the set into `folder` and return the number of images.

    An image keeps its path below `images/<split>`, without leading `images` and split folders of its own. Items
    without a split go to `train`; items without an annotation get no label file.
    """
    splits: set[str] = set()
    count = 0
    for item in items:
        split = item.split or DEFAULT_SPLIT
        splits.add(split)
        inner = _inner_path(item.path)
        image = folder / "images" / split / inner
        image.parent.mkdir(parents=True, exist_ok=True)
        with item.open() as source, image.open("xb") as target:
            shutil.copyfileobj(source, target)
        if item.annotation is not None:
            label = (folder / "labels" / split / inner).with_suffix(".txt")
            label.parent.mkdir(parents=True, exist_ok=True)
            with label.open("x", encoding="ascii") as rows:
                rows.write(label_text(item.annotation, item.width, item.height))
        count += 1
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text(description_text(classes, splits), encoding="utf-8")
    return count


def _inner_path(path: str) -> str:
    parts = path.split("/")
    while len(parts) > 1 and parts[0].lower() in ("images", "train", "val", "valid", "test"):
        parts = parts[1:]
    return "/".join(part for part in parts if part.lower() not in ("images",)) if len(parts) > 1 else parts[0]
