"""The formats that are read and written, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.datasets.formats import coco, dice, imagefolder, voc, yolo
from apps.datasets.formats.model import TASKS
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import Guess, Tree
from apps.datasets.formats.writing import Written

SURE = 0.5


@dataclass(frozen=True, slots=True)
class Format:
    """A format. `holds` are the tasks that it writes without turning their objects into something else; `targets` maps
    the task of a set to those that it can be written for, the one that costs least first."""

    name: str
    detect: Callable[[Tree], Guess]
    read: type[AnnotatedSet]
    write: Callable[..., Written]
    holds: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]


#: A shape has a box, an outline, a turned box and a class; what an image shows as a whole has no place in it.
SHAPES = {
    "detect": ("detect", "segment", "obb", "classify"),
    "segment": ("segment", "detect", "obb", "classify"),
    "pose": ("pose", "detect", "segment", "obb", "classify"),
    "obb": ("obb", "detect", "segment", "classify"),
}
ITSELF = {task: (task,) for task in TASKS}
FORMATS = {
    found.name: found
    for found in (
        Format("yolo", yolo.detect, yolo.YoloSet, yolo.write_yolo, TASKS, SHAPES | {"classify": ("classify",)}),
        Format(
            "coco",
            coco.detect,
            coco.CocoSet,
            coco.write_coco,
            ("detect", "segment", "pose"),
            ITSELF | {"obb": ("segment",), "classify": ("detect",)},
        ),
        Format("pascal_voc", voc.detect, voc.VocSet, voc.write_voc, ("detect",), dict.fromkeys(SHAPES, ("detect",))),
        Format(
            "imagefolder",
            imagefolder.detect,
            imagefolder.ImageFolderSet,
            imagefolder.write_imagefolder,
            ("classify",),
            dict.fromkeys(TASKS, ("classify",)),
        ),
        Format("dice", dice.detect, dice.DiceSet, dice.write_dice, TASKS, ITSELF),
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
