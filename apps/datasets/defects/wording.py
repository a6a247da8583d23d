"""The form of the words for a defect."""

from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence and what to do about it; both may use `%(name)s` for the defect's parameters."""

    sentence: str | Promise
    hint: str | Promise
