"""What is lost when a set is written in a format that cannot hold all of it: counted by code, with a first example."""

from collections import Counter
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: A sentence for each code; `%(count)s` is how often.
LOSSES: dict[str, str | Promise] = {
    "outline_to_box": _("Outlines become the boxes around them: %(count)s."),
    "mask_to_box": _("Masks become the boxes around them: %(count)s."),
    "mask_to_outline": _("Masks become outlines along their pixels: %(count)s."),
    "turned_to_box": _("Turned boxes become the upright boxes around them: %(count)s."),
    "turned_to_outline": _("Turned boxes become outlines: %(count)s."),
    "box_to_outline": _("Boxes become outlines of four corners: %(count)s."),
    "box_to_turned": _("Boxes become turned boxes of angle 0: %(count)s."),
    "parts_joined": _("Outlines of several parts become one each, joined by lines without width: %(count)s."),
    "keypoints_dropped": _("Keypoints of objects are left out: %(count)s."),
    "keypoints_missing": _("Objects without keypoints get keypoints that are not labelled: %(count)s."),
    "keypoints_padded": _("Objects get further keypoints that are not labelled, so that all have as many: %(count)s."),
    "attributes": _("What is noted beside objects is left out: %(count)s."),
    "class_of_image": _("Classes of whole images are left out: %(count)s."),
    "class_to_box": _("Classes of whole images become boxes around the images: %(count)s."),
    "objects_to_class": _("The objects of an image become its class. Images: %(count)s."),
    "other_classes": _("An image has one class; further ones are left out: %(count)s."),
    "background": _("An image lies in the folder of its class; labelled images without one are left out: %(count)s."),
    "unlabelled_left_out": _("Images without labels are left out: %(count)s."),
    "cut": _("Objects are cut at the border of their image: %(count)s."),
    "split_default": _("Images without a split are put into train: %(count)s."),
    "renamed": _("Images get another path: %(count)s."),
    "colors": _("Colours of classes are left out: %(count)s."),
    "skeleton": _("Lines between the keypoints of classes are left out. Classes: %(count)s."),
    "keypoint_names": _("Names of keypoints are left out. Classes: %(count)s."),
    "class_renamed": _("Classes get another name, which a folder may have: %(count)s."),
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
