"""The folder that Ultralytics reads: `images/<split>`, `labels/<split>` and `data.yaml`.

The library finds the labels of `…/images/a.jpg` as `…/labels/a.txt`. A row is the class, then fractions of the
picture's width and height:

| task | after the class |
|---|---|
| detect | centre x, centre y, width, height |
| segment | x, y of each corner of one outline |
| pose | as for detect, then x, y and v of each keypoint |
| obb | x, y of four corners |
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modelyard_trainer.adapters.layout import Convert, Layout
from modelyard_trainer.adapters.marks import Edges, Mark, keypoint_count, marks_of, numbers_of
from modelyard_trainer.dataset import Dataset
from modelyard_trainer.failures import Failure
from modelyard_trainer.outlines import Ring, joined

DESCRIPTION = "data.yaml"


def lay_out_yolo(
    dataset: Dataset,
    folder: Path,
    *,
    task: str,
    splits: Sequence[str] = ("train", "val"),
    convert: Convert | None = None,
) -> Layout:
    """Writes the layout of these splits for `detect`, `segment`, `pose` or `obb`; the library wants `folder/data.yaml`.

    `convert` makes a PNG of each picture whose ending the library does not know; without it such a picture is a
    Failure `bad_data`, as are a missing split (but `test`), no labels at all, and what cannot be understood.
    """
    if task not in ROWS:
        raise Failure("bad_data", f"there are no labels of YOLO for the task {task!r}", params={"task": task})
    layout = Layout.begin(dataset, folder, task, splits)
    keypoints = keypoint_count(dataset) if task == "pose" else 0
    numbers = numbers_of(dataset)
    labelled = False
    for split in splits:
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
    for item in layout.items(dataset):
        name = layout.add(item, folder / "images" / item.split, convert)
        rows = []
        for mark in marks_of(item, numbers):
            values = ROWS[task](mark, keypoints)
            layout.stand_ins += not mark.has_own(task)
            if values is None:
                layout.left_out += 1
            else:
                rows.append(f"{mark.number} {' '.join(values)}\n")
        labelled = labelled or bool(rows)
        (folder / "labels" / item.split / f"{Path(name).stem}.txt").write_text("".join(rows), encoding="ascii")
    layout.require([split for split in splits if split != "test"])
    if not labelled:
        raise Failure("bad_data", "no picture of the dataset has a box", hint="Label some pictures first.")
    _describe(layout, keypoints)
    return layout


def _box_row(mark: Mark, keypoints: int) -> list[str] | None:
    edges = mark.edges()
    return None if edges is None else _written(_middle(edges), mark)


def _ring_row(mark: Mark, keypoints: int) -> list[str] | None:
    rings = mark.rings()
    return _written(joined(rings), mark) if rings else None


def _corner_row(mark: Mark, keypoints: int) -> list[str] | None:
    corners = mark.corners()
    return None if corners is None else _written(corners, mark)


def _pose_row(mark: Mark, keypoints: int) -> list[str] | None:
    row = _box_row(mark, keypoints)
    if row is None:
        return None
    points = mark.points(keypoints)
    for x, y, seen in zip(points[::3], points[1::3], points[2::3], strict=True):
        row += [*_written((x, y), mark), f"{seen:.0f}"]
    return row


ROWS: dict[str, Callable[[Mark, int], list[str] | None]] = {
    "detect": _box_row,
    "segment": _ring_row,
    "pose": _pose_row,
    "obb": _corner_row,
}


def _middle(edges: Edges) -> Ring:
    left, top, right, bottom = edges
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _written(values: Ring, mark: Mark) -> list[str]:
    """Pixels as fractions of the picture: x and y in turn."""
    return [f"{value / (mark.height if index % 2 else mark.width):.9f}" for index, value in enumerate(values)]


def _describe(layout: Layout, keypoints: int) -> None:
    content: dict[str, Any] = {"path": str(layout.folder.absolute())}
    content |= {split: f"images/{split}" for split, count in layout.counts.items() if count}
    content["names"] = {number: _plain(entry.name) for number, entry in enumerate(layout.classes)}
    if keypoints:
        content["kpt_shape"] = [keypoints, 3]
        points = {number: entry.keypoints for number, entry in enumerate(layout.classes) if entry.keypoints}
        content["kpt_names"] = {number: [_plain(name) for name in names] for number, names in points.items()}
    # JSON is YAML too, and needs no quoting rules of our own.
    text = json.dumps(content, ensure_ascii=False)
    (layout.folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _plain(name: str) -> str:
    """The name without letters that YAML does not take as they are; `classes` of the layout have it whole."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
