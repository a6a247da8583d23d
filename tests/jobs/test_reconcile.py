"""The reconciler's pass, the node's tasks, and the orderly shutdown of a machine."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from apps.core.testing import committed
from apps.jobs import tasks
from apps.jobs.executors import Presence
from apps.jobs.models import Attempt, Job, ReconcilerPass, SlotClaim
from apps.jobs.services.drain import drain, remaining
from apps.jobs.services.reconcile import reconcile
from apps.jobs.states import JobState
from apps.resources.models import Node, NodeState
from apps.resources.services import node_register
from tests.jobs.support import Launcher, dispatch, make_job, running, started

pytestmark = pytest.mark.django_db
NOTHING = {"offline": 0, "resent": 0, "unreachable": 0, "lost": 0, "freed": 0}


@pytest.fixture(autouse=True)
def judging(db: None) -> None:
    """The reconciler has been running for long."""
    now = timezone.now()
    ReconcilerPass.objects.create(id=1, last_at=now, judge_from=now - timedelta(hours=1))


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


def silent(launcher: Launcher, **span: float) -> None:
    Attempt.objects.filter(pk=launcher.attempt.pk).update(lease_until=ago(**span or {"seconds": 5}))


def job() -> Job:
    return Job.objects.get()


def rows() -> list[Any]:
    return [
        list(model.objects.order_by("pk").values())
        for model in (Job, Attempt, SlotClaim, Node)  # what a pass could change
    ]


def test_a_sound_world_is_left_as_it_is(sent: list[Any]) -> None:
    running()
    before = rows()
    assert reconcile() == NOTHING
    assert rows() == before
    assert sent == []


def test_a_launch_that_nobody_took_is_sent_again_and_not_too_often(sent: list[Any]) -> None:
    attempt = started()
    assert reconcile()["resent"] == 0
    Attempt.objects.update(launch_sent_at=ago(seconds=6))
    assert reconcile()["resent"] == 1
    assert sent == [("jobs.launch", f"cpu.{attempt.node.name}", str(attempt.pk))]
    assert reconcile()["resent"] == 0
    assert len(sent) == 1


def test_a_claim_that_no_launcher_ever_answered_is_given_up() -> None:
    started()
    Attempt.objects.update(claimed_at=ago(seconds=91))
    assert reconcile()["lost"] == 1
    assert (job().state, job().reason_code, job().restarts) == (JobState.QUEUED, "restarting", 1)
    assert Attempt.objects.get().state == "lost"
    assert not SlotClaim.objects.exists()
    assert reconcile() == NOTHING


def test_a_lease_that_is_over_makes_the_job_unreachable_and_the_node_is_asked(sent: list[Any]) -> None:
    launcher = running()
    silent(launcher)
    assert reconcile()["unreachable"] == 1
    assert (job().state, Attempt.objects.get().state) == (JobState.UNREACHABLE, "live")
    assert sent == [("jobs.probe", f"cpu.{launcher.attempt.node.name}", str(launcher.attempt.pk))]
    before = rows()
    reconcile()
    assert rows() == before
    assert launcher.heartbeat()[0] == 200
    assert job().state == JobState.RUNNING


def test_a_node_that_went_silent_is_offline_and_its_job_moves_on_after_the_takeover_time() -> None:
    launcher = running()
    silent(launcher)
    Node.objects.update(last_seen_at=ago(seconds=30))
    assert reconcile()["offline"] == 1
    assert job().state == JobState.UNREACHABLE
    assert SlotClaim.objects.exists()
    silent(launcher, seconds=settings.JOBS["takeover_after_seconds"] + 1)
    assert reconcile()["lost"] == 1
    assert (job().state, job().reason_code) == (JobState.QUEUED, "restarting")
    assert not SlotClaim.objects.exists()
    assert reconcile() == NOTHING
    assert launcher.heartbeat()[0] == 409


def test_after_an_outage_of_its_own_it_waits_a_lease_before_it_judges() -> None:
    launcher = running()
    silent(launcher, minutes=5)
    ReconcilerPass.objects.update(last_at=ago(minutes=5), judge_from=ago(hours=1))
    assert reconcile()["unreachable"] == 0
    assert job().state == JobState.RUNNING
    row = ReconcilerPass.objects.get()
    wait = (row.judge_from - timezone.now()).total_seconds()
    assert 0 < wait <= settings.JOBS["lease_seconds"]
    ReconcilerPass.objects.update(judge_from=timezone.now())
    assert reconcile()["unreachable"] == 1


def test_late_ticks_of_beat_are_no_outage_however_short_the_lease(settings: Any) -> None:
    settings.JOBS = {**settings.JOBS, "lease_seconds": 1}
    launcher = running()
    silent(launcher)
    ReconcilerPass.objects.update(last_at=ago(seconds=5))
    assert reconcile()["unreachable"] == 1


def test_the_very_first_pass_waits_too() -> None:
    ReconcilerPass.objects.all().delete()
    silent(running())
    assert reconcile()["unreachable"] == 0


def test_slots_of_an_attempt_that_is_over_are_freed() -> None:
    running()
    Attempt.objects.update(state="ended")
    assert reconcile()["freed"] == 1
    assert not SlotClaim.objects.exists()


# The node's tasks


class Executor:
    """Remembers what it was asked; finds what the test says."""

    def __init__(self, presence: Presence) -> None:
        self.presence = presence
        self.asked: list[str] = []

    def poll(self, attempt: Attempt) -> Presence:
        return self.presence

    def __getattr__(self, name: str) -> Any:
        return lambda attempt: self.asked.append(name)


@pytest.fixture
def on_this_node(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(launcher: Launcher, presence: Presence) -> Executor:
        executor = Executor(presence)
        monkeypatch.setattr(tasks, "executor_for", lambda name: executor)
        monkeypatch.setattr(settings, "NODE_NAME", launcher.attempt.node.name)
        return executor

    return use


def test_a_probe_tidies_up_after_a_dead_launcher(on_this_node: Any) -> None:
    launcher = running()
    executor = on_this_node(launcher, Presence.DEAD)
    assert tasks.probe(str(launcher.attempt.pk)) == "answered"
    silent(launcher)
    assert tasks.probe(str(launcher.attempt.pk)) == "dead"
    assert executor.asked == ["recover"]


def test_a_probe_that_finds_nothing_gives_the_attempt_up(on_this_node: Any) -> None:
    launcher = running()
    on_this_node(launcher, Presence.ABSENT)
    silent(launcher)
    assert tasks.probe(str(launcher.attempt.pk)) == "absent"
    assert job().state == JobState.QUEUED


def test_a_launcher_that_does_not_even_try_to_call_is_ended(on_this_node: Any) -> None:
    launcher = running()
    executor = on_this_node(launcher, Presence.ALIVE)
    silent(launcher)
    # However long the portal is away: whoever still tries to call is left alone.
    Attempt.objects.update(unreachable_since=ago(seconds=settings.JOBS["takeover_after_seconds"] + 1))
    tasks.probe(str(launcher.attempt.pk))
    assert executor.asked == []
    executor = on_this_node(launcher, Presence.HUNG)
    tasks.probe(str(launcher.attempt.pk))
    assert executor.asked == ["kill"]


def test_a_launch_for_another_node_or_for_what_is_over_does_nothing(on_this_node: Any) -> None:
    attempt = started()
    launcher = Launcher(attempt)
    executor = on_this_node(launcher, Presence.ABSENT)
    tasks.launch(str(attempt.pk))
    assert executor.asked == ["launch"]
    launcher.hello()
    tasks.launch(str(attempt.pk))
    Attempt.objects.update(state="ended")
    tasks.launch(str(attempt.pk))
    settings.NODE_NAME = "another"
    Attempt.objects.update(state="claimed")
    tasks.launch(str(attempt.pk))
    assert executor.asked == ["launch"]


# Orderly shutdown


def test_a_draining_node_gets_no_work_and_its_jobs_are_asked_to_save() -> None:
    launcher = running(make_job(JobState.QUEUED), cpus=8)
    group, node = job().resource_group, launcher.attempt.node
    claimed = make_job(JobState.QUEUED, resource_group=group)
    dispatch()
    waiting = make_job(JobState.QUEUED, resource_group=group, reason_code="no_slot")
    assert drain(node.name, 30) == 2
    assert remaining(node.name) == 1
    assert launcher.heartbeat()[1]["commands"] == [
        {"command": "stop", "reason": "platform_stopping", "grace_seconds": 30}
    ]
    claimed.refresh_from_db()
    assert (claimed.state, claimed.reason_code) == (JobState.QUEUED, "platform_stopping")
    assert dispatch().placed == []
    assert launcher.end(exit_code=10)[1] == {"state": "queued"}
    assert remaining(node.name) == 0
    assert drain(node.name, 30) == 0
    # Its worker starts again: everything goes on.
    node_register(name=node.name, cpus=8, memory_mb=4096, gpus=[], boot_id="x")
    assert len(dispatch().placed) == 3
    assert Job.objects.get(pk=waiting.pk).state == JobState.STARTING
    assert Job.objects.filter(restarts__gt=0).count() == 0


def test_the_command_of_the_supervisor_waits_for_the_jobs_and_says_what_is_left(sent: list[Any]) -> None:
    launcher = running()
    said = StringIO()
    with committed():
        call_command("jobs_drain", node=launcher.attempt.node.name, timeout=0.1, stdout=said)
    assert "asked 1 job(s)" in said.getvalue()
    assert "1 job(s) still run" in said.getvalue()
    launcher.end(exit_code=10)
    said = StringIO()
    call_command("jobs_drain", node=launcher.attempt.node.name, timeout=5, stdout=said)
    assert said.getvalue().strip() == "all jobs have stopped"
    assert Node.objects.get().state == NodeState.DRAINING
