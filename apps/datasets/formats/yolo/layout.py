"""Finding one's way in a YOLO set: which text is whose label, and whether a set is one at all."""

import posixpath
from collections.abc import Iterator

from apps.datasets.formats.tree import SPLIT_NAMES, Guess, Tree, split_by_folder

__all__ = [
    "CLASS_FILES",
    "SPLIT_NAMES",
    "YAML_ENDINGS",
    "Guess",
    "Tree",
    "detect",
    "label_of",
    "label_places",
    "split_by_folder",
]

YAML_ENDINGS = (".yaml", ".yml")
CLASS_FILES = ("classes.txt", "obj.names", "data.names", "_darknet.labels")


def label_of(tree: Tree, image: str) -> str | None:
    """Return the label file of an image: the first of `label_places` at which there is a file."""
    return next((path for path in label_places(image) if path in tree.files), None)


def label_places(image: str) -> Iterator[str]:
    """Where the label of an image may lie: in the `labels` folder beside its `images` folder, or beside it."""
    folder, _, name = image.rpartition("/")
    stem = name.rpartition(".")[0] + ".txt"
    parts = folder.split("/") if folder else []
    for index in range(len(parts) - 1, -1, -1):
        if parts[index].lower() == "images":
            for labels in ("labels", "Labels", "LABELS"):
                yield "/".join([*parts[:index], labels, *parts[index + 1 :], stem])
            break
    yield posixpath.join(folder, stem)
    yield posixpath.join(folder, "labels", stem)
    # `train/a.jpg` with `labels/train/a.txt`, the labels' folder standing at the top of the set.
    for index in range(len(parts)):
        yield "/".join([*parts[:index], "labels", *parts[index:], stem])


def looks_like_rows(head: bytes) -> bool:
    """Whether a text begins with a row of at least five numbers, or is empty, as label files do."""
    first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").split(b"\n", 1)[0].split()
    if not first:
        return True
    try:
        return len(first) >= 5 and all(isinstance(float(value), float) for value in first[:5])
    except ValueError:
        return False


def in_labels_folder(path: str) -> bool:
    return "labels" in path.lower().split("/")[:-1]


def detect(tree: Tree) -> Guess:
    """Say how much the set looks like YOLO, by its names and a look into one label."""
    texts = [path for path in tree.ending_with(".txt") if posixpath.basename(path) not in CLASS_FILES]
    has_labels = next((path for path in texts if in_labels_folder(path)), None)
    has_description = any(
        posixpath.basename(path) in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
        for path in tree.ending_with(*YAML_ENDINGS)
    )
    if has_description and tree.images:
        return Guess("yolo", 0.99, "yolo.description")
    if has_labels and tree.images:
        return Guess("yolo", 0.9, "yolo.labels_folder")
    paired = next((label for image in tree.images[:50] if (label := label_of(tree, image))), None)
    if paired is not None and looks_like_rows(tree.staged.head(paired, 4096)):
        return Guess("yolo", 0.8, "yolo.labels_beside")
    if tree.ending_with(*YAML_ENDINGS) and tree.images:
        return Guess("yolo", 0.6, "yolo.description")
    return Guess("yolo", 0.0, "yolo.nothing")
