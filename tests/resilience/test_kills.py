"""Any process of the portal may be killed at any moment of a training: it ends well, and nothing is lost or doubled."""

import os
import signal
import time

import pytest

from tests.resilience.report import Report
from tests.resilience.support import Portal, until

pytestmark = pytest.mark.resilience

PARTS = ["worker", "node", "web", "beat", "valkey", "postgres", "mlflow"]
#: Seconds of training, with a checkpoint twice a second; `make test` has less patience than `make resilience`.
SHORT, FULL = 3.0, 6.0
DETECTION_SECONDS = 30


def training_seconds(report: Report) -> float:
    return SHORT if report.rounds == 1 else FULL


def submit(portal: Portal, report: Report) -> str:
    steps = round(training_seconds(report) / 0.05)
    return portal.submit(steps=steps, step_seconds=0.05, epoch_steps=20, checkpoint_steps=10)


def kill(pid: int) -> float:
    """SIGKILL, and the moment of it."""
    os.kill(pid, signal.SIGKILL)
    return time.time()


def sleep_until(begin: float, moment: float) -> None:
    """The moments are what is tested: there is no condition to wait for."""
    time.sleep(max(0.0, begin + moment - time.time()))


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_of_the_portal_costs_no_training_anything(portal: Portal, report: Report, part: str) -> None:
    for moment in report.moments(part, 0.0, training_seconds(report) + 1):
        begin = time.time()
        job_id = submit(portal, report)
        sleep_until(begin, moment)
        kill(portal.pids()[part])
        assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
        ended = time.time()
        portal.wait_until_well()
        portal.check_history(job_id)
        # The launcher bridges what the portal cannot hear.
        assert len(portal.attempts(job_id)) == 1, portal.story(job_id)
        if part == "mlflow":
            portal.check_mirror(job_id)
        report.add(part, moment, attempts=1, seconds=ended - begin)


def kill_victim(portal: Portal, job_id: str, key: str) -> tuple[str, float]:
    """Kills the attempt's trainer or launcher, as soon as there is one; the attempt and the moment."""
    attempt_id = until(lambda: portal.attempts(job_id), "an attempt")[-1][1]
    pid = until(lambda: portal.launcher_facts(attempt_id).get(key), f"the {key} of the attempt")
    return attempt_id, kill(pid)


@pytest.mark.parametrize(("victim", "key"), [("trainer", "trainer_pid"), ("launcher", "pid")])
def test_a_killed_trainer_or_launcher_is_noticed_and_the_training_goes_on(
    portal: Portal, report: Report, victim: str, key: str
) -> None:
    for moment in report.moments(victim, 0.5, training_seconds(report) - 0.5):
        begin = time.time()
        job_id = submit(portal, report)
        sleep_until(begin, moment)
        attempt_id, killed = kill_victim(portal, job_id, key)
        assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
        ended = time.time()
        noticed = portal.noticed_after(job_id, killed)
        assert noticed <= DETECTION_SECONDS
        attempts = portal.attempts(job_id)
        assert len(attempts) == 2, portal.story(job_id)
        assert portal.processes_of(attempt_id) == []
        portal.check_history(job_id)
        report.add(victim, moment, attempts=len(attempts), seconds=ended - begin, noticed=noticed)


def test_a_launcher_that_stands_still_is_replaced(portal: Portal, report: Report) -> None:
    begin = time.time()
    job_id = submit(portal, report)
    portal.wait_for_steps(job_id, 20)
    attempt_id = portal.attempts(job_id)[0][1]
    os.kill(portal.launcher_facts(attempt_id)["pid"], signal.SIGSTOP)
    frozen = time.time()
    assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
    noticed = portal.noticed_after(job_id, frozen)
    assert noticed <= DETECTION_SECONDS
    assert portal.processes_of(attempt_id) == []
    assert len(portal.attempts(job_id)) == 2, portal.story(job_id)
    portal.check_history(job_id)
    report.add("launcher, frozen", 0.0, attempts=2, seconds=time.time() - begin, noticed=noticed, times=1)


def test_workers_hear_a_new_broker_each_time(portal: Portal, report: Report) -> None:
    """They connect again; one whose acknowledgement came too late for that ends, and is started again."""
    before = portal.pids()
    for _round in range(report.rounds):
        kill(portal.pids()["valkey"])
        portal.wait_until_well()
        begin = time.time()
        job_id = portal.submit(steps=5)
        assert portal.wait_for_end(job_id, 30) == "succeeded", portal.story(job_id)
        assert time.time() - begin < 20
    after = portal.pids()
    same = ("supervisor", "postgres", "web", "beat")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
