"""Names under which workers are told to work: a misspelt one would be a task that nobody runs."""

import ast
from pathlib import Path

from django.conf import settings
from modelyard.celery import app

APPS = Path(__file__).resolve().parents[2] / "apps"
SENDERS = {"send_hint", "hint_on_commit", "send", "send_on_commit"}


def tasks() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def hinted() -> set[str]:
    """First arguments of the functions that send hints, where they are written out as `app.task`."""
    found = set()
    for path in APPS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in SENDERS and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


def test_every_hint_and_every_schedule_names_a_task() -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {"jobs.launch", "datasets.store", "core.outbox_deliver"} <= hinted(), "the reader finds them"
    assert hinted() | scheduled <= tasks()


def test_every_task_is_started_by_something() -> None:
    """By a hint, by beat, or by a schedule that an administrator makes."""
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks() - hinted() - scheduled == {"training.run_scheduled"}
