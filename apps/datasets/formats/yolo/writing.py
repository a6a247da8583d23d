"""Writing a set in the YOLO layout: `images/<split>`, `labels/<split>` and `data.yaml`."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.conversion import as_bounds, as_corners, as_ring, inside
from apps.datasets.formats.imagefolder import write_imagefolder
from apps.datasets.formats.losses import Losses
from apps.datasets.formats.model import SPLITS, Annotation, Box, Pose, Shape
from apps.datasets.formats.writing import (
    DEFAULT_SPLIT,
    SetFolder,
    WritableItem,
    Written,
    as_table,
    count_lost_classes,
)

__all__ = ["WritableItem", "description_text", "label_text", "write_yolo"]


def write_yolo(
    items: Iterable[WritableItem],
    classes: Sequence[ClassInfo | str],
    folder: Path | SetFolder,
    *,
    task: str = "detect",
) -> Written:
    """Write the set for one task into `folder`.

    An image keeps its path below `images/<split>`, without leading folders of structure. Items without a split go to
    `train`; items without an annotation get no label file. The layout for `classify` is that of ImageFolder.
    """
    if task == "classify":
        return write_imagefolder(items, classes, folder)
    table = as_table(classes)
    written = Written()
    losses = written.losses
    count_lost_classes(table, losses, colors=True, keypoints=task != "pose")
    keypoints = max((len(found.keypoints) for found in table), default=0) if task == "pose" else 0
    losses.add("skeleton", count=sum(bool(found.skeleton) for found in table) if keypoints else 0)
    target = SetFolder.of(folder)
    splits: set[str] = set()
    for item in items:
        split = item.split or DEFAULT_SPLIT
        losses.add("split_default", item.path, item.split is None)
        splits.add(split)
        image = target.place(f"images/{split}", item.path, losses)
        target.copy(item, image)
        if item.annotation is not None:
            label = "labels" + image[len("images") :].rpartition(".")[0] + ".txt"
            text = label_text(
                item.annotation, item.width, item.height, task=task, keypoints=keypoints, path=item.path, losses=losses
            )
            target.write(label, text)
            written.objects += text.count("\n")
        written.images += 1
    target.write("data.yaml", description_text(table, splits, keypoints=keypoints))
    return written


def label_text(
    annotation: Annotation,
    width: int,
    height: int,
    *,
    task: str = "detect",
    keypoints: int = 0,
    path: str = "",
    losses: Losses | None = None,
) -> str:
    """The rows of one label file; fractions with 8 decimals, which is below 10⁻³ px for every image allowed."""
    rows = []
    losses = losses or Losses()
    for shape in annotation.objects:
        if type(shape) is Box and task == "detect" and not shape.attributes:
            number, x, y, wide, high, _ = shape
            rows.append(
                f"{number} {(x + wide / 2) / width:.8f} {(y + high / 2) / height:.8f} "
                f"{wide / width:.8f} {high / height:.8f}\n"
            )
            continue
        row = ROWS[task](shape, width, height, keypoints, path, losses)
        if row is not None:
            rows.append(row)
            losses.add("attributes", path, bool(shape.attributes))
    return "".join(rows)


def _box_row(shape: Shape, width: int, height: int, keypoints: int, path: str, losses: Losses) -> str | None:
    found = as_bounds(shape, path, losses)
    if found is None:
        return None
    left, top, right, bottom = found[0], found[1], found[0] + found[2], found[1] + found[3]
    if left < 0 or top < 0 or right > width or bottom > height:
        losses.add("cut", path)
        left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
        if left >= right or top >= bottom:
            return None
    return (
        f"{shape.class_id} {(left + right) / 2 / width:.8f} {(top + bottom) / 2 / height:.8f} "
        f"{(right - left) / width:.8f} {(bottom - top) / height:.8f}\n"
    )


def _ring_row(shape: Shape, width: int, height: int, keypoints: int, path: str, losses: Losses) -> str | None:
    return _corner_row(shape, as_ring(shape, path, losses), width, height, path, losses)


def _turned_row(shape: Shape, width: int, height: int, keypoints: int, path: str, losses: Losses) -> str | None:
    return _corner_row(shape, as_corners(shape, path, losses), width, height, path, losses)


def _corner_row(
    shape: Shape, ring: tuple[float, ...] | None, width: int, height: int, path: str, losses: Losses
) -> str | None:
    if not ring:
        return None
    ring = inside(ring, width, height, lambda: losses.add("cut", path))
    values = " ".join(f"{value / (height if index % 2 else width):.8f}" for index, value in enumerate(ring))
    return f"{shape.class_id} {values}\n"


def _pose_row(shape: Shape, width: int, height: int, keypoints: int, path: str, losses: Losses) -> str | None:
    points: tuple[float, ...] = ()
    if isinstance(shape, Pose):
        points = shape.points
        shape = Box(*shape[:5], shape.attributes)
        losses.add("keypoints_padded", path, 0 < len(points) < 3 * keypoints)
    else:
        losses.add("keypoints_missing", path)
    row = _box_row(shape, width, height, keypoints, path, losses)
    if row is None:
        return None
    points += (0.0,) * (3 * keypoints - len(points))
    sides = (width, height)
    values = " ".join(
        f"{value:.0f}" if index % 3 == 2 else f"{min(max(value / sides[index % 3], 0.0), 1.0):.8f}"
        for index, value in enumerate(points)
    )
    return f"{row[:-1]} {values}\n"


ROWS: dict[str, Callable[[Shape, int, int, int, str, Losses], str | None]] = {
    "detect": _box_row,
    "segment": _ring_row,
    "pose": _pose_row,
    "obb": _turned_row,
}


def description_text(classes: Sequence[ClassInfo | str], splits: Iterable[str], *, keypoints: int = 0) -> str:
    """The `data.yaml`; names are written as JSON strings, which YAML reads as they are."""
    table = as_table(classes)
    used = set(splits)
    # No `path`: paths are then relative to this file, while Ultralytics takes `.` for wherever it was started.
    lines = [f"{split}: images/{split}" for split in SPLITS if split in used]
    lines += [f"nc: {len(table)}"]
    if keypoints:
        lines += [f"kpt_shape: [{keypoints}, 3]"]
        named = [(number, found.keypoints) for number, found in enumerate(table) if found.keypoints]
        lines += ["kpt_names:"]
        lines += [f"  {number}: {json.dumps(list(names), ensure_ascii=False)}" for number, names in named]
    lines += ["names:"]
    lines += [f"  {number}: {json.dumps(found.name, ensure_ascii=False)}" for number, found in enumerate(table)]
    return "\n".join(lines) + "\n"
