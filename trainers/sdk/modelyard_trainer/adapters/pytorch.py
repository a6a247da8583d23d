"""What PyTorch's own tools read: the folders of torchvision's ImageFolder, and a sequence for a map-style loader."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, overload

from modelyard_trainer.adapters.layout import Convert, Layout, require_task
from modelyard_trainer.adapters.marks import Edges, marks_of, numbers_of, whole_class
from modelyard_trainer.dataset import SPLITS, Dataset, DatasetClass
from modelyard_trainer.failures import Failure

#: What a folder's name may not hold on one system or another.
UNFIT = frozenset('/\\:*?"<>|')
NAME_BYTES = 200


def lay_out_image_folder(
    dataset: Dataset,
    folder: Path,
    *,
    splits: Sequence[str] = SPLITS,
    needed: Sequence[str] = ("train",),
    convert: Convert | None = None,
) -> Layout:
    """Writes `<split>/<class>/<number>.jpg` of a dataset of `classify`, for `ImageFolder(folder / split, allow_empty=True)`.

    Every class has a folder in every split, so that a class has the same number everywhere; `classes` of the layout are
    in the order of the folders' names, as torchvision numbers them. A picture without a class is left out. Raises
    Failure `bad_data` when a split of `needed` has no pictures. Torchvision's own loader does not turn pictures upright.
    """
    layout = Layout.begin(dataset, folder, "classify", splits)
    numbers = numbers_of(dataset)
    names = folder_names(dataset.classes)
    for split in splits:
        for name in names:
            (folder / split / name).mkdir(parents=True)
    for item in layout.items(dataset):
        number, further = whole_class(item, numbers)
        layout.left_out += further
        if number is None:
            layout.unlabelled += 1
        else:
            layout.add(item, folder / item.split / names[number], convert)
    layout.require(needed)
    order = sorted(range(len(names)), key=names.__getitem__)
    layout.classes = tuple(dataset.classes[number] for number in order)
    return layout


def folder_names(classes: Sequence[DatasetClass]) -> list[str]:
    """A folder's name for each class: its own where that may be one, and no two alike on any system."""
    names: list[str] = []
    taken: set[str] = set()
    for entry in classes:
        letters = (letter if letter.isprintable() and letter not in UNFIT else "_" for letter in entry.name)
        clean = "".join(letters).strip(". ").encode()[:NAME_BYTES].decode(errors="ignore") or "_"
        name, number = clean, 1
        while _folded(name) in taken:
            number += 1
            name = f"{clean}-{number}"
        taken.add(_folded(name))
        names.append(name)
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class Example(NamedTuple):
    """A picture's file with its boxes, left, top, right, bottom in pixels of the upright picture, and their classes."""

    file: Path
    boxes: list[Edges]
    labels: list[int]


class Examples(Sequence[Example]):
    """The pictures of a split for a map-style loader: `__len__` and `__getitem__`, nothing of them opened.

    A label is the place of its class in the dataset's `classes`; a network that keeps 0 for the background adds one.
    `left_out` counts boxes without an area inside their picture. Raises Failure `bad_data` for a dataset without boxes,
    or when the split has no pictures.
    """

    def __init__(self, dataset: Dataset, split: str):
        require_task(dataset, "detect")
        self.left_out = 0
        numbers = numbers_of(dataset)
        self._examples: list[Example] = []
        for item in dataset.items(split):
            example = Example(item.file, [], [])
            for mark in marks_of(item, numbers):
                edges = mark.edges()
                if edges is None:
                    self.left_out += 1
                else:
                    example.boxes.append(edges)
                    example.labels.append(mark.number)
            self._examples.append(example)
        if not self._examples:
            raise Failure("bad_data", f"the dataset has no pictures in the split {split!r}", params={"split": split})

    def __len__(self) -> int:
        return len(self._examples)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        return self._examples[index]
