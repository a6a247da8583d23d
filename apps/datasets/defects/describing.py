"""Wording a defect for a reader, in the active language."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.datasets.defects.file_words import FILE_WORDS
from apps.datasets.defects.foreign_words import FOREIGN_WORDS
from apps.datasets.defects.hints import CHOOSE_LENIENT, FIX_OBJECT, FIX_ROW, REPLACE_IMAGE
from apps.datasets.defects.label_words import LABEL_WORDS
from apps.datasets.defects.log import WARNING, Defect
from apps.datasets.defects.set_words import SET_WORDS
from apps.datasets.defects.wording import Wording

WORDINGS: dict[str, Wording] = {**FILE_WORDS, **SET_WORDS, **LABEL_WORDS, **FOREIGN_WORDS}
#: Codes that reports of earlier versions still carry.
FORMER = {
    "yolo.class_name": "class.name",
    "yolo.class_duplicate": "class.duplicate",
    "yolo.classes_many": "class.many",
    "yolo.class_unused": "class.unused",
    "set.format_unknown": "set.task",
}
#: How a sentence calls a task.
TASK_NAMES: dict[str, str | Promise] = {
    "detect": _("object detection"),
    "segment": _("segmentation"),
    "pose": _("keypoints"),
    "obb": _("oriented boxes"),
    "classify": _("image classification"),
}


#: Why a set was taken for what it was taken for (`Analysis.reason`).
REASONS: dict[str, str | Promise] = {
    "yolo.description": _("A YAML file describes it."),
    "yolo.labels_folder": _("There are images and a folder of label texts."),
    "yolo.labels_beside": _("Texts with rows of numbers lie beside the images."),
    "coco.document": _("A JSON file lists images and annotations."),
    "dice.mark": _("annotations.json says so."),
    "dice.layout": _("annotations.json lists images and annotations, and the images lie beside it."),
    "imagefolder.splits": _("Images lie in folders of classes, below folders of splits."),
    "imagefolder.folders": _("Images lie in folders of classes."),
    "pascal_voc.document": _("XML files annotate the images."),
    "datumaro.read": _("It was chosen, or told by datumaro, which has read it."),
    "images.only": _("There are images without labels."),
    "set.nothing": _("Nothing was recognised."),
    "set.unread": _("The files were refused before they were read."),
}


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def describe(defect: Defect, *, in_set: bool = True) -> tuple[str, str]:
    """Return (sentence, hint) in the active language. Plain text: the template escapes it.

    Without `in_set` the file is one that somebody tries, with no set and no label beside it.
    """
    wording = WORDINGS[FORMER.get(defect.code, defect.code)]
    params = _Params(defect.params)
    for name in ("task", "wanted"):
        if params.get(name) in TASK_NAMES:
            params[name] = TASK_NAMES[params[name]]
    hint = wording.hint
    if hint is REPLACE_IMAGE and not in_set:
        hint = _("Choose another picture.")
    elif defect.severity == WARNING and hint in (FIX_ROW, FIX_OBJECT, CHOOSE_LENIENT):
        # Only a lenient check makes warnings of these.
        hint = _("Nothing to do: the lenient check left such rows out or mended them.")
    sentence = str(wording.sentence)
    if "image" in params and "%(image)s" not in sentence:
        place = (
            _("In “%(image)s”.")
            if params.get("annotation") is None
            else _("Annotation %(annotation)s of “%(image)s”.")
        )
        sentence = f"{sentence} {place}"
    return sentence % params, str(hint) % params
