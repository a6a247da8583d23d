"""The formats that are read and written, by name."""

from collections.abc import Callable
from dataclasses import dataclass

from apps.datasets.formats import coco, dice, imagefolder, voc, yolo
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import Guess, Tree
from apps.datasets.formats.writing import Written

SURE = 0.5


@dataclass(frozen=True, slots=True)
class Format:
    """A format. `holds` are the tasks that it writes without turning their objects into something else."""

    name: str
    detect: Callable[[Tree], Guess]
    read: type[AnnotatedSet]
    write: Callable[..., Written]
    holds: tuple[str, ...]


FORMATS = {
    found.name: found
    for found in (
        Format("yolo", yolo.detect, yolo.YoloSet, yolo.write_yolo, ("detect", "segment", "pose", "obb", "classify")),
        Format("coco", coco.detect, coco.CocoSet, coco.write_coco, ("detect", "segment", "pose")),
        Format("pascal_voc", voc.detect, voc.VocSet, voc.write_voc, ("detect",)),
        Format(
            "imagefolder",
            imagefolder.detect,
            imagefolder.ImageFolderSet,
            imagefolder.write_imagefolder,
            ("classify",),
        ),
        Format("dice", dice.detect, dice.DiceSet, dice.write_dice, ("detect", "segment", "pose", "obb", "classify")),
    )
}
#: Images without labels, which the YOLO layout knows too.
UNLABELLED = "images"


def guess_format(tree: Tree, wanted: str | None = None) -> Guess:
    """Tell the format by names and a look into one file of each kind.

    Folders alone are classes only where classes of images are wanted, or may be.
    """
    guesses = [
        found.detect(tree) for found in FORMATS.values() if found.name != "imagefolder" or wanted in (None, "classify")
    ]
    best = max(guesses, key=lambda guess: guess.confidence)
    if best.confidence >= SURE:
        return best
    if tree.images:
        return Guess(UNLABELLED, 0.5, "images.only")
    return Guess("unknown", 0.0, "set.nothing")


def set_class(name: str) -> type[AnnotatedSet]:
    """What reads a set of this format."""
    return yolo.YoloSet if name == UNLABELLED else FORMATS[name].read
