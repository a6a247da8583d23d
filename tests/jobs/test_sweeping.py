"""Folders of attempts: what was worked on goes soon, logs and journals later, what is in use never."""

import fcntl
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.jobs import tasks
from apps.jobs.executors import executor_for
from apps.jobs.models import Attempt
from apps.jobs.states import AttemptState
from apps.resources.models import NodeState
from tests.factories.jobs import AttemptFactory
from tests.factories.resources import NodeFactory

pytestmark = pytest.mark.django_db

LOGS = {"trainer.log", "launcher.log", "journal.jsonl", "launcher.jsonl", "exit.json", "token", "launcher.lock"}
FILES = {"inputs", "output", "home", "tmp"}


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    settings.JOBS = {**settings.JOBS, "attempts_dir": tmp_path, "files_keep_hours": 24, "logs_keep_days": 30}
    return tmp_path


def folder(root: Path, name: Any) -> Path:
    path = root / str(name)
    for inner in FILES:
        (path / inner / "deep").mkdir(parents=True)
        (path / inner / "deep" / "file").write_text("x")
    for log in LOGS:
        (path / log).write_text("x")
    return path


def attempt(state: AttemptState, age: timedelta) -> Attempt:
    return AttemptFactory(state=state, ended_at=timezone.now() - age)


def left(path: Path) -> set[str]:
    return {found.name for found in path.iterdir()} if path.exists() else set()


@pytest.mark.parametrize("state", [AttemptState.ENDED, AttemptState.LOST, AttemptState.CANCELLED])
@pytest.mark.parametrize(
    ("age", "kept"),
    [
        (timedelta(hours=23), LOGS | FILES),
        (timedelta(hours=25), LOGS),
        (timedelta(days=29), LOGS),
        (timedelta(days=31), set()),
    ],
)
def test_files_go_after_a_day_and_logs_after_a_month(
    root: Path, state: AttemptState, age: timedelta, kept: set[str]
) -> None:
    path = folder(root, attempt(state, age).pk)
    assert executor_for("subprocess").sweep() == (kept != LOGS | FILES)
    assert left(path) == kept
    assert executor_for("subprocess").sweep() == 0, "a second pass finds nothing to do"


@pytest.mark.parametrize("state", [AttemptState.CLAIMED, AttemptState.LIVE])
def test_an_attempt_that_is_not_over_keeps_everything(root: Path, state: AttemptState) -> None:
    path = folder(root, attempt(state, timedelta(days=100)).pk)
    executor_for("subprocess").sweep()
    assert left(path) == LOGS | FILES


def test_a_folder_that_a_launcher_holds_is_left_alone(root: Path) -> None:
    path = folder(root, attempt(AttemptState.LOST, timedelta(days=100)).pk)
    with (path / "launcher.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        executor_for("subprocess").sweep()
        assert left(path) == LOGS | FILES
    executor_for("subprocess").sweep()
    assert left(path) == set()


def test_a_link_that_a_trainer_left_leads_nowhere(root: Path) -> None:
    path = folder(root, attempt(AttemptState.ENDED, timedelta(days=2)).pk)
    outside = root / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (path / "output").rename(path / "gone")
    (path / "output").symlink_to(outside)
    (path / "home" / "link").symlink_to(outside)
    executor_for("subprocess").sweep()
    assert left(path) == LOGS | {"gone"}
    assert left(outside) == {"precious"}


def test_folders_without_a_row_go_by_their_age_and_other_names_stay(root: Path) -> None:
    fresh, other = folder(root, uuid4()), folder(root, "not-an-attempt")
    executor_for("subprocess").sweep()
    assert left(fresh) == left(other) == LOGS | FILES


def test_every_node_that_answers_is_asked(sent: list[tuple[Any, ...]]) -> None:
    NodeFactory(name="one", state=NodeState.READY)
    NodeFactory(name="two", state=NodeState.DRAINING)
    NodeFactory(name="three", state=NodeState.OFFLINE)
    assert tasks.sweep() == 2
    assert {found[:2] for found in sent} == {("jobs.sweep_node", "cpu.one"), ("jobs.sweep_node", "cpu.two")}
