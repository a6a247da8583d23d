"""The folder that `datasets.load_dataset("imagefolder", data_dir=…)` of Hugging Face makes a DatasetDict of.

Each split is a folder of pictures with a `metadata.jsonl`, a row a picture: `file_name`, which becomes the column
`image`, `image_id`, `path`, `width`, `height`, and `label` (classify) or `objects`, a list for each of

| Key | What, for each object |
|---|---|
| `id` | its number |
| `bbox` | left, top, width, height in pixels of the upright picture, cut at its edge |
| `area` | of the box, in pixels |
| `category` | the class's place in `classes` of the layout |
| `segmentation` | segment: rings `x, y, x, y, …` |
| `keypoints` | pose: `x, y, v` of each keypoint |
| `corners` | obb: x, y of four corners |
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modelyard_trainer.adapters.layout import TITLES, Convert, Layout
from modelyard_trainer.adapters.marks import Mark, keypoint_count, marks_of, numbers_of, whole_class
from modelyard_trainer.dataset import SPLITS, Dataset, Item
from modelyard_trainer.failures import Failure

METADATA = "metadata.jsonl"
#: What the library calls the splits.
FOLDERS = {"train": "train", "val": "validation", "test": "test"}
#: The column of a task's own shape, and how a mark gives it.
OWN: dict[str, tuple[str, Callable[[Mark, int], Any]]] = {
    "segment": ("segmentation", lambda mark, keypoints: mark.rings()),
    "pose": ("keypoints", lambda mark, keypoints: mark.points(keypoints)),
    "obb": ("corners", lambda mark, keypoints: mark.corners()),
}


def lay_out_hugging_face(
    dataset: Dataset,
    folder: Path,
    *,
    task: str | None = None,
    splits: Sequence[str] = SPLITS,
    needed: Sequence[str] = ("train",),
    convert: Convert | None = None,
) -> Layout:
    """Writes `train`, `validation` and `test` for a task, that of the dataset unless another is named.

    A split without pictures is not there. Raises Failure `bad_data` when one of `needed` is not, and when a split has
    pictures but no label: the library learns from the rows what a column holds.
    """
    task = task or dataset.task
    layout = Layout.begin(dataset, folder, task, splits)
    rows = _Rows(dataset, task)
    written: dict[str, list[list[str]]] = {}
    for item in layout.items(dataset):
        columns, is_labelled = rows.of(item, layout)
        if columns is None:
            layout.unlabelled += 1
            continue
        place = folder / FOLDERS[item.split]
        place.mkdir(exist_ok=True)
        head = {"file_name": layout.add(item, place, convert), "image_id": len(layout.pictures) - 1}
        head |= {"path": item.path, "width": item.width, "height": item.height}
        line = json.dumps(head | columns, allow_nan=False)
        written.setdefault(item.split, [[], []])[not is_labelled].append(f"{line}\n")
    layout.require(needed)
    for split, (labelled, others) in written.items():
        if not labelled:
            message = f"no {TITLES[split]} picture has a label (split {split!r}): the library cannot read such a split"
            raise Failure("bad_data", message, hint="Label some of them, or split anew.", params={"split": split})
        # The library takes the columns' types from the first rows, and an empty list has none.
        with open(folder / FOLDERS[split] / METADATA, "w", encoding="ascii") as file:
            file.writelines(labelled)
            file.writelines(others)
    return layout


class _Rows:
    """What the rows of one dataset say of their pictures."""

    def __init__(self, dataset: Dataset, task: str):
        self.task = task
        self.numbers = numbers_of(dataset)
        self.keypoints = keypoint_count(dataset) if task == "pose" else 0
        self.columns = ["id", "bbox", "area", "category", *(column for column, _ in self._own())]
        self.objects = 0

    def of(self, item: Item, layout: Layout) -> tuple[dict[str, Any] | None, bool]:
        """The columns of a picture, None when it has no place, and whether it has a label."""
        if self.task == "classify":
            number, further = whole_class(item, self.numbers)
            layout.left_out += further
            return (None if number is None else {"label": number}), True
        objects: dict[str, list[Any]] = {column: [] for column in self.columns}
        for mark in marks_of(item, self.numbers):
            values = self._object(mark)
            layout.stand_ins += not mark.has_own(self.task)
            if values is None:
                layout.left_out += 1
                continue
            for column, value in values.items():
                objects[column].append(value)
        return {"objects": objects}, bool(objects["id"])

    def _object(self, mark: Mark) -> dict[str, Any] | None:
        edges = mark.edges()
        own = {column: value(mark, self.keypoints) for column, value in self._own()}
        if edges is None or not all(own.values()):
            return None
        left, top, right, bottom = edges
        box = [left, top, right - left, bottom - top]
        self.objects += 1
        return {"id": self.objects - 1, "bbox": box, "area": box[2] * box[3], "category": mark.number, **own}

    def _own(self) -> list[tuple[str, Callable[[Mark, int], Any]]]:
        return [OWN[self.task]] if self.task in OWN else []
