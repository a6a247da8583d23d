"""Longer absences: the web away, an orderly stop, a killed supervisor, messages doubled, trainers that do not listen."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery
from modelyard import embedded

from tests.resilience.report import Report
from tests.resilience.support import PATIENCE, ROOT, Portal, until

pytestmark = pytest.mark.resilience

#: About six seconds, so that what is done to it is done in the middle.
TRAINING = {"steps": 120, "step_seconds": 0.05, "epoch_steps": 20, "checkpoint_steps": 10}
CANCEL_SECONDS = 15
MESSAGES = 20


def web_away(portal: Portal, seconds: float, done: Callable[[], bool]) -> None:
    """Kills the web, and holds each one that the supervisor starts, until the time is over and what is waited for is
    done, however slow the machine."""
    deadline = time.monotonic() + seconds
    held = 0
    os.kill(portal.pids()["web"], signal.SIGKILL)
    first = portal.pids().get("web")

    def over() -> bool:
        nonlocal held
        pid = portal.pids().get("web")
        if pid and pid not in (first, held):
            os.kill(pid, signal.SIGSTOP)
            held = pid
        return time.monotonic() > deadline and done()

    until(over, "the end of the outage", seconds + PATIENCE)
    if held:
        os.kill(held, signal.SIGCONT)


def test_a_training_bridges_the_time_in_which_the_web_is_away(portal: Portal, report: Report) -> None:
    away = 8.0 if report.rounds == 1 else 60.0
    job_id = portal.submit(**TRAINING)
    portal.wait_for_steps(job_id, 20)
    begin = time.time()
    attempt_id = portal.attempts(job_id)[0][1]
    # The trainer waits for nobody: it comes to its end meanwhile.
    web_away(portal, away, lambda: portal.journal(attempt_id, "trainer")[-1]["type"] == "result")
    assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
    assert len(portal.attempts(job_id)) == 1, portal.story(job_id)
    portal.check_history(job_id)
    report.add(f"web away {away:.0f} s", 0.0, attempts=1, seconds=time.time() - begin, times=1)


def test_a_stop_ends_a_trainer_that_does_not_listen_and_everything_it_left(portal: Portal, report: Report) -> None:
    config = {"steps": 10_000, "step_seconds": 0.05, "ignore_sigterm": True, "fork_setsid": True}
    moments = report.moments("stop", 0.0, 3.0, each=2)
    for moment in moments:
        begin = time.time()
        job_id = portal.submit(**config)
        time.sleep(max(0.0, begin + moment - time.time()))
        asked = time.time()
        portal.rest("POST", f"/training-jobs/{job_id}/stop", {"grace_seconds": 5})
        assert portal.wait_for_end(job_id) == "stopped", portal.story(job_id)
        took = time.time() - asked
        assert took <= CANCEL_SECONDS
        for _no, attempt_id, _state in portal.attempts(job_id):
            assert portal.processes_of(attempt_id) == []
        portal.check_history(job_id)
        report.add("stop, ignored", moment, attempts=len(portal.attempts(job_id)), seconds=took, times=len(moments))


@contextmanager
def second_worker(portal: Portal) -> Iterator[None]:
    """Another worker on the node's queues."""
    environment = {**portal.environment, "PYTHONPATH": os.pathsep.join(sys.path), "CELERY_SKIP_CHECKS": "1"}
    command = [sys.executable, "-m", "celery", "-A", "modelyard.celery", "worker", "--pool=threads"]
    command += [
        "-Q",
        "cpu.resilience,gpu.resilience",
        "-n",
        "second@resilience",
        "--without-gossip",
        "--loglevel=INFO",
    ]
    log = portal.folder / "second.log"
    with log.open("w") as output:
        worker = subprocess.Popen(command, cwd="/", env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: "ready" in log.read_text(), "the second worker")
        yield
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def test_a_launch_delivered_often_and_to_two_workers_starts_one_trainer(portal: Portal, report: Report) -> None:
    begin = time.time()
    node = portal.pids()["node"]
    broker = Celery("messages", broker=embedded.broker_url(portal.home), set_as_current=False)
    with second_worker(portal):
        os.kill(node, signal.SIGSTOP)
        try:
            job_id = portal.submit(**TRAINING)
            attempt_id = until(lambda: portal.attempts(job_id), "an attempt")[0][1]
            for _number in range(MESSAGES):
                broker.send_task("jobs.launch", args=[attempt_id], queue="cpu.resilience", ignore_result=True)
        finally:
            os.kill(node, signal.SIGCONT)
        portal.wait_for_steps(job_id, 10)
        trainers = [pid for pid in portal.processes_of(attempt_id) if b"modelyard_reference" in command_line(pid)]
        assert len(trainers) == 1
        assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
    broker.close()
    started = [line for line in portal.journal(attempt_id, "trainer") if line["type"] == "started"]
    assert len(started) == 1
    assert len(portal.attempts(job_id)) == 1
    portal.check_history(job_id)
    report.add(f"launch delivered {MESSAGES} times", 0.0, attempts=1, seconds=time.time() - begin, times=1)


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_beat_starts_a_training_when_its_schedule_says(portal: Portal, report: Report) -> None:
    body = {"project_id": portal.project_id, "name": "every second", "trainer": "reference", "config": {"steps": 5}}
    template = portal.rest("POST", "/training-jobs", body)["id"]
    portal.rest("POST", f"/training-jobs/{template}/schedule", {"cron": "* * * * *", "time_zone": "Asia/Seoul"})
    _every_second(portal, template)
    copies = "SELECT id::text FROM jobs_job WHERE name LIKE '%%every second' AND id <> %s AND state <> 'draft'"
    found = until(lambda: portal.rows(copies, template), "a training that beat has started")
    portal.rest("DELETE", f"/training-jobs/{template}/schedule")
    assert portal.wait_for_end(found[0][0]) == "succeeded", portal.story(found[0][0])
    portal.check_history(found[0][0])
    # The template itself is still the draft that it was.
    assert portal.state(template) == "draft"


def _every_second(portal: Portal, template: str) -> None:
    command = [sys.executable, "-m", "tests.resilience.schedule", template]
    environment = {**portal.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def test_ctrl_c_saves_the_training_and_the_next_start_goes_on(portal: Portal, report: Report) -> None:
    begin = time.time()
    job_id = portal.submit(**TRAINING)
    portal.wait_for_steps(job_id, 40)
    first = portal.attempts(job_id)[0][1]
    portal.interrupt()
    assert portal.processes_of(first) == []
    assert portal.journal(first, "trainer")[-1]["data"]["status"] == "stopped"
    portal.start()
    assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
    assert [state for _no, _id, state in portal.attempts(job_id)] == ["ended", "ended"]
    ((resumed_step,),) = portal.rows("SELECT resumed_step FROM jobs_attempt WHERE job_id = %s AND no = 2", job_id)
    saved = [line["data"]["step"] for line in portal.journal(first, "trainer") if line["type"] == "checkpoint"]
    assert resumed_step == saved[-1] > 0
    portal.check_history(job_id)
    report.add("Ctrl-C of `up`, and `up` again", 0.0, attempts=2, seconds=time.time() - begin, times=1)


def test_launchers_outlive_a_killed_supervisor_and_are_taken_back(portal: Portal, report: Report) -> None:
    begin = time.time()
    job_id = portal.submit(**TRAINING)
    portal.wait_for_steps(job_id, 20)
    attempt_id = portal.attempts(job_id)[0][1]
    with portal.ask_mlflow_by_half():
        portal.kill_supervisor()
    assert len(portal.processes_of(attempt_id)) >= 1
    portal.start()
    assert portal.wait_for_end(job_id) == "succeeded", portal.story(job_id)
    assert len(portal.attempts(job_id)) == 1, portal.story(job_id)
    portal.check_history(job_id)
    report.add("supervisor, and `up` again", 0.0, attempts=1, seconds=time.time() - begin, times=1)
