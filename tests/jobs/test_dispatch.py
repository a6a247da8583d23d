"""Placing jobs on nodes."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from apps.core.testing import assert_constant_queries, committed
from apps.jobs.models import Attempt, Job, SlotClaim
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import JobState
from apps.organizations.models import Organization
from apps.resources.models import NodeState, ResourceGroup
from tests.factories.resources import NodeFactory, ResourceGroupFactory
from tests.jobs.support import Launcher, make_job


@pytest.fixture
def group(db: None) -> ResourceGroup:
    return ResourceGroupFactory(organization=None)


def queue(group: ResourceGroup, **fields: Any) -> Job:
    fields.setdefault("queued_at", timezone.now())
    return make_job(JobState.QUEUED, resource_group=group, **fields)


def states(*jobs: Job) -> list[str]:
    return [Job.objects.get(pk=job.pk).state for job in jobs]


def reason(job: Job) -> tuple[str, dict[str, Any]]:
    job = Job.objects.get(pk=job.pk)
    return job.reason_code, job.reason_params


def test_priority_comes_before_age_and_age_before_chance(group: ResourceGroup) -> None:
    now = timezone.now()
    NodeFactory(group=group, cpus=2)
    young = queue(group, queued_at=now)
    old = queue(group, queued_at=now - timedelta(hours=1))
    urgent = queue(group, queued_at=now, priority=5)
    dispatch()
    assert states(urgent, old, young) == [JobState.STARTING, JobState.STARTING, JobState.QUEUED]
    assert reason(young) == ("no_slot", {"position": 1})


def test_no_more_run_at_once_than_the_organization_may(group: ResourceGroup) -> None:
    NodeFactory(group=group, cpus=8)
    first, second, third = (queue(group) for _number in range(3))
    other = queue(group, project=first.project)
    Organization.objects.filter(pk=first.organization_id).update(max_jobs_at_once=1)
    assert {first.organization_id} == {other.organization_id} != {second.organization_id}
    dispatch()
    assert states(first, other, second, third) == [
        JobState.STARTING,
        JobState.QUEUED,
        JobState.STARTING,
        JobState.STARTING,
    ]
    assert reason(other) == ("jobs_at_limit", {"limit": 1})
    with override("en"):
        assert "as many jobs at once as it may (1)" in str(Job.objects.get(pk=other.pk).reason)
    Attempt.objects.filter(job=first).update(state="ended", ended_at=timezone.now())
    dispatch()
    assert states(other) == [JobState.STARTING]


def test_a_group_runs_no_more_at_once_than_it_may(group: ResourceGroup) -> None:
    NodeFactory(group=group, cpus=8)
    elsewhere = ResourceGroupFactory()
    NodeFactory(group=elsewhere, cpus=8)
    ResourceGroup.objects.filter(pk=group.pk).update(max_jobs_at_once=2)
    jobs = [queue(group) for _number in range(3)]
    free = queue(elsewhere)
    dispatch()
    assert states(*jobs, free) == [JobState.STARTING, JobState.STARTING, JobState.QUEUED, JobState.STARTING]
    assert reason(jobs[2]) == ("group_at_limit", {"limit": 2})


@pytest.mark.parametrize("blocked", ["too_large", "jobs_at_limit", "group_at_limit", "gpu_hours_used", "no_node"])
def test_jobs_that_wait_for_what_there_is_not_hold_up_nobody_elses(
    group: ResourceGroup, monkeypatch: pytest.MonkeyPatch, blocked: str
) -> None:
    """One organization fills the head of the queue; the machines are for all."""
    monkeypatch.setattr("apps.jobs.services.dispatch.PASS_SIZE", 3)
    NodeFactory(group=group, cpus=8, gpus=[{"index": 0}])
    full = ResourceGroupFactory(organization=None, max_jobs_at_once=0)
    if blocked == "group_at_limit":
        NodeFactory(group=full, cpus=8)
    where = {"group_at_limit": full, "no_node": ResourceGroupFactory(organization=None)}.get(blocked, group)
    wanted = {"too_large": {"cpus": 1024}, "gpu_hours_used": {"gpus": 1}}.get(blocked, {})
    greedy = queue(where, priority=10, **wanted)
    limits = {"jobs_at_limit": {"max_jobs_at_once": 0}, "gpu_hours_used": {"max_gpu_hours_per_month": 0}}
    Organization.objects.filter(pk=greedy.organization_id).update(**limits.get(blocked, {"max_users": None}))
    for _number in range(7):
        queue(where, priority=10, project=greedy.project, **wanted)
    others = [queue(group), queue(group)]
    dispatch()
    assert reason(greedy)[0] == blocked
    assert states(*others) == [JobState.STARTING, JobState.STARTING]


def test_a_claim_takes_slots_and_tells_the_node(group: ResourceGroup, sent: list[Any]) -> None:
    node = NodeFactory(group=group, cpus=4, memory_mb=4096, gpus=[{"index": 0}, {"index": 1}, {"index": 3}])
    job = queue(group, cpus=3, memory_mb=1000, gpus=2)
    with committed():
        dispatch()
    attempt = Attempt.objects.get(job=job)
    claim = SlotClaim.objects.get(attempt=attempt)
    assert (claim.cpus, claim.memory_mb, claim.gpu_indexes) == (3, 1000, [0, 1])
    assert (attempt.no, attempt.state, attempt.node) == (1, "claimed", node)
    assert sent == [("jobs.launch", f"gpu.{node.name}", str(attempt.pk))]
    launcher = Launcher(attempt)
    assert launcher.hello()[1]["spec"]["resources"] == {"cpus": 3, "gpus": [0, 1], "memory_mb": 1000}
    # What is left: one CPU and the GPU number 3.
    second, third = queue(group, gpus=1), queue(group)
    dispatch()
    assert SlotClaim.objects.get(attempt__job=second).gpu_indexes == [3]
    assert reason(third) == ("no_slot", {"position": 1})


def test_the_emptiest_node_is_taken(group: ResourceGroup) -> None:
    small, large = NodeFactory(group=group, cpus=2), NodeFactory(group=group, cpus=3)
    jobs = [queue(group) for _number in range(3)]
    dispatch()
    nodes = [Attempt.objects.get(job=job).node for job in jobs]
    assert sorted(node.name for node in nodes) == sorted([small.name, large.name, large.name])


def test_a_small_job_passes_a_large_one_that_must_wait(group: ResourceGroup) -> None:
    NodeFactory(group=group, cpus=4)
    running, large, small = queue(group, cpus=2), queue(group, cpus=4), queue(group, cpus=1)
    dispatch()
    assert states(running, large, small) == [JobState.STARTING, JobState.QUEUED, JobState.STARTING]


def test_a_job_that_no_node_could_ever_take_says_so(group: ResourceGroup) -> None:
    NodeFactory(group=group, cpus=2, memory_mb=1024)
    many, heavy, gpus = queue(group, cpus=3), queue(group, memory_mb=2048), queue(group, gpus=1)
    dispatch()
    assert [reason(job)[0] for job in (many, heavy, gpus)] == ["too_large"] * 3


@pytest.mark.parametrize(
    "node",
    [
        {"state": NodeState.OFFLINE},
        {"state": NodeState.DRAINING},
        {"last_seen_at": None},
        {"last_seen_at": timezone.now() - timedelta(minutes=1)},
    ],
)
def test_nodes_that_take_no_work_are_left_alone(group: ResourceGroup, node: dict[str, Any]) -> None:
    NodeFactory(group=group, **node)
    NodeFactory()  # ready, but of another group
    job = queue(group)
    dispatch()
    assert (states(job), reason(job)[0]) == ([JobState.QUEUED], "no_node")


def test_a_restarting_job_keeps_its_reason_while_no_node_is_there(group: ResourceGroup) -> None:
    job = queue(group, reason_code="platform_stopping")
    dispatch()
    assert reason(job)[0] == "platform_stopping"


def test_a_scheduled_job_waits_for_its_time(group: ResourceGroup) -> None:
    NodeFactory(group=group)
    later = queue(group, not_before=timezone.now() + timedelta(minutes=1), reason_code="scheduled")
    due = queue(group, not_before=timezone.now() - timedelta(seconds=1))
    dispatch()
    assert states(later, due) == [JobState.QUEUED, JobState.STARTING]
    assert reason(later)[0] == "scheduled"


def test_a_second_pass_changes_nothing(group: ResourceGroup, sent: list[Any]) -> None:
    NodeFactory(group=group, cpus=1)
    placed, waiting, large = queue(group), queue(group), queue(group, cpus=2)
    dispatch()
    before = list(Job.objects.order_by("pk").values("state", "reason_code", "reason_params", "version", "updated_at"))
    with committed():
        assert dispatch().placed == []
    after = list(Job.objects.order_by("pk").values("state", "reason_code", "reason_params", "version", "updated_at"))
    assert before == after
    assert sent == []
    assert states(placed, waiting, large) == [JobState.STARTING, JobState.QUEUED, JobState.QUEUED]


def test_a_pass_over_waiting_jobs_costs_the_same_for_one_and_for_twenty(group: ResourceGroup) -> None:
    NodeFactory(group=group, cpus=1)
    queue(group)
    dispatch()

    def add(count: int) -> None:
        for _number in range(count):
            queue(group, reason_code="too_large", cpus=5)

    assert_constant_queries(dispatch, add_rows=add, at_most=4)


@pytest.mark.django_db(transaction=True)
def test_passes_at_the_same_moment_admit_only_what_fits() -> None:
    group = ResourceGroupFactory(organization=None)
    NodeFactory(group=group, cpus=3)
    for _number in range(12):
        queue(group)
    barrier, placed = threading.Barrier(4), []

    def one() -> None:
        try:
            barrier.wait(10)
            placed.append(len(dispatch().placed))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(placed) == 3
    assert Job.objects.filter(state=JobState.STARTING).count() == 3
    assert SlotClaim.objects.count() == 3
