"""Registry of the action codes that may stand in the audit log."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Action:
    """`sentence` is a template with `%(actor)s`, `%(object)s` and the event's own parameters."""

    code: str
    label: Any
    sentence: Any


_actions: dict[str, Action] = {}


def register_action(code: str, label: Any, sentence: Any) -> str:
    """Declares an action code, once, and returns it. Label and sentence are lazy translations."""
    if code in _actions:
        raise ValueError(f"The audit action {code} is registered already.")
    _actions[code] = Action(code, label, sentence)
    return code


def action_of(code: str) -> Action:
    return _actions[code]


def action_shown(code: str) -> Action:
    """As `action_of`; the code itself for one that nothing registers any more, whose events stay in the log."""
    return _actions.get(code) or Action(code, code, code)


def actions() -> list[Action]:
    return [_actions[code] for code in sorted(_actions)]
