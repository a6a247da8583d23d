"""What is lost when a set is written in a format that cannot hold all of it: counted by code, with a first example."""

from collections import Counter
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: A sentence for each code; `%(count)s` is how often.
LOSSES: dict[str, str | Promise] = {
    "outline_to_box": _("%(count)s outlines became the boxes around them."),
    "mask_to_box": _("%(count)s masks became the boxes around them."),
    "mask_to_outline": _("%(count)s masks became outlines along their pixels."),
    "turned_to_box": _("%(count)s turned boxes became the upright boxes around them."),
    "turned_to_outline": _("%(count)s turned boxes became outlines."),
    "box_to_outline": _("%(count)s boxes became outlines of four corners."),
    "box_to_turned": _("%(count)s boxes became turned boxes of angle 0."),
    "parts_joined": _("%(count)s outlines of several parts became one, joined by lines without width."),
    "keypoints_dropped": _("The keypoints of %(count)s objects were left out."),
    "keypoints_missing": _("%(count)s objects without keypoints got keypoints that are not labelled."),
    "keypoints_padded": _("%(count)s objects got keypoints that are not labelled, so that all have as many."),
    "attributes": _("What was noted beside %(count)s objects was left out."),
    "class_of_image": _("The class of %(count)s whole images was left out."),
    "class_to_box": _("The class of %(count)s whole images became a box around the image."),
    "objects_to_class": _("The objects of %(count)s images became the class of the image."),
    "other_classes": _("%(count)s further classes of images were left out: an image has one."),
    "background": _("%(count)s labelled images without a class were left out: each lies in the folder of its class."),
    "unlabelled_left_out": _("%(count)s images without labels were left out."),
    "cut": _("%(count)s objects were cut at the border of their image."),
    "split_default": _("%(count)s images without a split were put into train."),
    "renamed": _("%(count)s images got another path."),
    "colors": _("The colours of %(count)s classes were left out."),
    "skeleton": _("The lines between the keypoints of %(count)s classes were left out."),
    "keypoint_names": _("The keypoints of %(count)s classes were left out."),
    "class_renamed": _("%(count)s classes got another name, which a folder may have."),
}


class Losses:
    """Counts losses; keeps the first path for each code."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, code: str, path: str | None = None, count: int = 1) -> None:
        if count:
            self.counts[code] += count
            if path is not None:
                self.first.setdefault(code, path)

    def as_list(self) -> list[dict[str, Any]]:
        """`{"code", "count", "path"}` each, the most frequent first."""
        return [
            {"code": code, "count": count, "path": self.first.get(code)} for code, count in self.counts.most_common()
        ]


def describe_loss(code: str, count: int) -> str:
    """The loss as a sentence in the active language."""
    return str(LOSSES[code]) % {"count": count}
