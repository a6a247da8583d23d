"""What trainers name in their own short words, said in the reader's: tasks, models, columns of results, settings."""

from typing import Any

from django import template
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import NotFound
from apps.datasets.models import Task
from apps.trainers.catalogue import Trainer, trainer
from apps.training.models import TrainingJob

register = template.Library()

MISSING = "–"
DIGITS = 4
WORDS = {
    "class": gettext_lazy("Class"),
    "name": gettext_lazy("Name"),
    "boxes": gettext_lazy("Boxes"),
    "images": gettext_lazy("Images"),
    "precision": gettext_lazy("Precision"),
    "recall": gettext_lazy("Recall"),
    "confidence": gettext_lazy("Confidence"),
    "accuracy": gettext_lazy("Accuracy"),
    "f1": "F1",
    "ap50": "AP50",
    "ap50-95": "AP50-95",
}


@register.filter
def trainer_word(word: object) -> str:
    """A column or an axis of a trainer's results; a word that is not known stays as the trainer wrote it."""
    return str(WORDS.get(str(word).lower(), word))


@register.filter
def measured(value: object) -> str:
    """A cell of a trainer's table: counts whole, measures with four digits, words as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING if value is None else str(value)
    return formats.number_format(value, decimal_pos=DIGITS if isinstance(value, float) else 0, use_l10n=True)


@register.filter
def setting(value: object) -> str:
    """The value of a setting."""
    if isinstance(value, bool):
        return _("on") if value else _("off")
    return MISSING if value is None else str(value)


@register.filter
def task_title(task: str) -> str:
    return str(dict(Task.choices).get(task, task))


@register.filter
def trainer_title(name: str) -> str:
    found = _installed(name)
    return found.descriptor.title if found else name


@register.filter
def model_title(training: TrainingJob) -> str:
    """The trainer's title for the model that is trained; its name where the trainer is gone."""
    found = _installed(training.trainer)
    titles = {model.name: model.title for model in found.descriptor.models} if found else {}
    return titles.get(training.model, training.model)


@register.filter
def trained_what(training: TrainingJob) -> str:
    """Trainer and model in one line."""
    return " · ".join(filter(None, (trainer_title(training.trainer), model_title(training))))


def _installed(name: Any) -> Trainer | None:
    try:
        return trainer(name)
    except NotFound:
        return None
