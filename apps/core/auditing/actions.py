"""Registry of the action codes that may stand in the audit log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Choices


@dataclass(frozen=True, slots=True)
class Action:
    """`sentence` is a template with `%(actor)s`, `%(object)s` and the event's own parameters.

    Facts of the sentence that are stored as codes, or in English, are put through their function in `reads`.
    """

    code: str
    label: Any
    sentence: Any
    reads: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


_actions: dict[str, Action] = {}


def register_action(
    code: str, label: Any, sentence: Any, reads: Mapping[str, Callable[[Any], Any]] | None = None
) -> str:
    """Declares an action code, once, and returns it. Label and sentence are lazy translations."""
    if code in _actions:
        raise ValueError(f"The audit action {code} is registered already.")
    _actions[code] = Action(code, label, sentence, reads or {})
    return code


def label_in(choices: type[Choices]) -> Callable[[Any], Any]:
    """Reads a stored choice as what it is called; one that there is no more, as it is."""
    labels = dict(choices.choices)
    return lambda value: labels.get(value, value)


def action_of(code: str) -> Action:
    return _actions[code]


def action_shown(code: str) -> Action:
    """As `action_of`; the code itself for one that nothing registers any more, whose events stay in the log."""
    return _actions.get(code) or Action(code, code, code)


def actions() -> list[Action]:
    return [_actions[code] for code in sorted(_actions)]
