"""A dataset laid out on disk: links to its pictures under numbers, and what became of its annotations.

Numbers make a library indifferent to how the dataset's files are called: no two are the same in another case, none has
a meaning of its own, and none leads anywhere.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelyard_trainer.dataset import TEACHES, Dataset, DatasetClass, Item
from modelyard_trainer.failures import Failure

#: File endings that all of the libraries read, and the ending that a link gets.
LINKED = {ending: ending for ending in (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")}
#: The same formats under other endings.
LINKED |= {".dib": ".bmp", ".jfif": ".jpg", ".jpe": ".jpg"}
TITLES = {"train": "training", "val": "validation", "test": "test"}

#: Writes the picture at the first path, upright, as PNG to the second. Raises OSError or ValueError for what is none.
Convert = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Picture:
    """What a numbered link stands for: the item's path in the dataset and the upright picture's size in pixels."""

    path: str
    width: int
    height: int


@dataclass
class Layout:
    """A dataset laid out in `folder`. Class `i` of the library is `classes[i]`.

    `pictures` maps a link's file name to its picture; names differ across splits. `counts` are pictures by split.
    `left_out` counts annotations that found no place: without an area inside their picture, or a further class of a
    picture that can have one only. `stand_ins` counts those that have no shape of the task's own, so that their box
    stands for it, `unlabelled` the pictures that were left out since nothing says what they show.
    """

    folder: Path
    classes: tuple[DatasetClass, ...]
    pictures: dict[str, Picture] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    stand_ins: int = 0
    unlabelled: int = 0

    @classmethod
    def begin(cls, dataset: Dataset, folder: Path, task: str, splits: Sequence[str]) -> "Layout":
        """An empty one in a new folder. Raises Failure when the dataset has no classes or cannot teach the task."""
        require_task(dataset, task)
        if not dataset.classes:
            hint = "Add at least one class and label some pictures."
            raise Failure("bad_data", "the dataset has no classes", hint=hint)
        folder.mkdir(parents=True)
        return cls(folder, tuple(dataset.classes), counts=dict.fromkeys(splits, 0))

    def items(self, dataset: Dataset) -> Iterator[Item]:
        """The items of the splits that are laid out."""
        splits = tuple(self.counts)
        return (item for item in dataset.items() if item.split in splits)

    def add(self, item: Item, folder: Path, convert: Convert | None) -> str:
        """Links the item's file into `folder` and returns the link's name."""
        width, height = size_of(item)
        if not item.file.is_file():
            raise Failure("bad_data", f"{item.path}: the file of this picture is not there")
        number, ending = len(self.pictures), LINKED.get(Path(item.path).suffix.lower())
        name = f"{number:08d}{ending or '.png'}"
        if ending:
            (folder / name).symlink_to(os.path.abspath(item.file))
        else:
            _converted(item, folder / name, convert)
        self.pictures[name] = Picture(item.path, width, height)
        self.counts[item.split] += 1
        return name

    def require(self, splits: Sequence[str]) -> None:
        """Raises Failure when one of these splits has no picture."""
        for split in splits:
            if not self.counts[split]:
                raise Failure(
                    "bad_data",
                    f"the dataset has no {TITLES[split]} pictures (split {split!r})",
                    hint=f"Split the dataset so that {' and '.join(TITLES[name] for name in splits)} have pictures.",
                    params={"split": split, "counts": self.counts},
                )


def require_task(dataset: Dataset, task: str) -> None:
    """Raises Failure when the dataset's labels cannot teach the task."""
    if task not in TEACHES.get(dataset.task, ()):
        able = " or ".join(name for name, taught in TEACHES.items() if task in taught)
        raise Failure(
            "bad_data",
            f"a dataset of the task {dataset.task!r} has no labels for {task!r}",
            hint=f"Choose a dataset of the task {able}." if able else None,
            params={"task": task, "dataset_task": dataset.task},
        )


def size_of(item: Item) -> tuple[int, int]:
    """Width and height of the upright picture. Raises Failure when the dataset does not say them."""
    width, height = item.width, item.height
    if not isinstance(width, int) or not isinstance(height, int) or width <= 0 or height <= 0:
        raise Failure("bad_data", f"{item.path}: the dataset does not say how large this picture is")
    return width, height


def _converted(item: Item, target: Path, convert: Convert | None) -> None:
    if convert is None:
        hint = f"Give it as one of {', '.join(LINKED)}."
        raise Failure("bad_data", f"{item.path}: pictures with this ending are not read", hint=hint)
    try:
        convert(item.file, target)
    except (OSError, ValueError) as error:
        raise Failure("bad_data", f"{item.path} cannot be read as a picture: {error}") from error
