"""Hello, heartbeat and end: who may speak for an attempt, and what its end means for the job."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from apps.core.errors import Conflict
from apps.jobs.models import Attempt, Job, JobEvent, SlotClaim
from apps.jobs.reasons import REASONS, worded
from apps.jobs.services import lifecycle
from apps.jobs.services.attempts import attempt_arm, attempt_lost
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import JobState
from tests.jobs import support
from tests.jobs.support import Launcher, running, started

pytestmark = pytest.mark.django_db

RESULT = ("result", {"status": "succeeded", "metrics": {}, "summary": {}})


def job_of(launcher: Launcher) -> Job:
    return Job.objects.get(pk=launcher.attempt.job_id)


def attempt_of(launcher: Launcher) -> Attempt:
    return Attempt.objects.get(pk=launcher.attempt.pk)


# Hello


def test_hello_gives_the_spec_and_makes_the_attempt_live() -> None:
    job = support.make_job(JobState.QUEUED, name='{"steps": 7}')
    launcher = Launcher(started(job))
    status, answer = launcher.hello()
    assert status == 200
    spec = answer["spec"]
    assert (spec["job_id"], spec["attempt_id"], spec["attempt_no"]) == (str(job.pk), str(launcher.attempt.pk), 1)
    assert (spec["contract"], spec["mode"], spec["config"], spec["dataset"]) == (1, "train", {"steps": 7}, None)
    assert answer["trainer"]["package"] == "modelyard_reference"
    assert answer["cursors"] == {"trainer": 0, "launcher": 0, "log": 0}
    assert answer["commands"] == []
    attempt = attempt_of(launcher)
    assert (attempt.state, attempt.nonce, attempt.resumed_step) == ("live", "nonce-of-the-first", None)
    assert attempt.lease_until > timezone.now()


def test_the_same_launcher_gets_the_same_answer_again_and_another_is_sent_away() -> None:
    launcher = Launcher(started())
    first = launcher.hello()
    assert launcher.hello() == first
    status, answer = launcher.hello("nonce-of-another")
    assert (status, answer["code"]) == (409, "stale")
    assert attempt_of(launcher).nonce == "nonce-of-the-first"


def test_a_successor_takes_the_attempt_over_only_when_somebody_had_it() -> None:
    launcher = Launcher(started())
    assert launcher.hello("nonce-of-the-next", recovering=True)[0] == 409
    launcher.hello()
    launcher.say(("started", {}), ("log", {"level": "info", "message": "x"}))
    status, answer = launcher.hello("nonce-of-the-next", recovering=True)
    assert (status, answer["cursors"]["trainer"]) == (200, 2)
    assert attempt_of(launcher).nonce == "nonce-of-the-next"


@pytest.mark.parametrize("nonce", ["", "short", "x" * 65, 5, None])
def test_a_nonce_that_is_none_is_malformed(nonce: Any) -> None:
    launcher = Launcher(started())
    status, answer = launcher.call("POST", "hello", {"nonce": nonce})
    assert (status, answer["code"]) == (422, "malformed")
    assert attempt_of(launcher).state == "claimed"


def test_a_job_that_cannot_be_run_ends_with_the_reason_and_its_launcher_is_sent_away(told: support.Calls) -> None:
    launcher = Launcher(started())
    told.plan_error = Conflict("The data set is gone.", code="dataset_gone")
    status, answer = launcher.hello()
    assert (status, answer["code"]) == (409, "stale")
    job = job_of(launcher)
    assert (job.state, job.reason_code) == (JobState.ERRORED, "dataset_gone")
    assert not SlotClaim.objects.exists()
    assert told.ends == [(job.pk, JobState.ERRORED)]


def test_a_trainer_that_is_not_installed_any_more_is_the_reason(tmp_path: Any) -> None:
    launcher = Launcher(started())
    with override_settings(TRAINERS_DIR=tmp_path):
        assert launcher.hello()[0] == 409
    assert job_of(launcher).reason_code == "trainer_gone"


# Tokens


def test_only_the_attempts_token_opens_the_door() -> None:
    launcher = Launcher(started())
    url = f"/api/attempt/v1/{launcher.attempt.pk}/hello"
    for headers in ({}, {"Authorization": "Attempt wrong"}, {"Authorization": f"Bearer {launcher.token}"}):
        response = Client().post(url, {}, content_type="application/json", headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    absent = Client().post(
        "/api/attempt/v1/01939000-0000-7000-8000-000000000000/hello",
        {},
        content_type="application/json",
        headers={"Authorization": f"Attempt {launcher.token}"},
    )
    assert absent.status_code == 401


def test_an_attempt_that_is_not_armed_has_no_token_at_all() -> None:
    attempt = started()
    launcher = Launcher.__new__(Launcher)
    launcher.attempt, launcher.token, launcher.client = attempt, "", Client()
    assert launcher.call("POST", "heartbeat")[0] == 401


def test_a_launch_delivered_twice_arms_with_the_nodes_one_token() -> None:
    launcher = Launcher(started())
    assert launcher.armed
    assert attempt_arm(attempt=launcher.attempt, token=launcher.token)
    launcher.hello()
    assert not attempt_arm(attempt=launcher.attempt, token="another")
    assert launcher.heartbeat()[0] == 200


def test_after_a_takeover_every_write_of_the_old_attempt_is_refused() -> None:
    old = running()
    attempt_lost(attempt=old.attempt, reason="node_lost")
    dispatch()
    new = Launcher(Attempt.objects.get(job=old.attempt.job, no=2), token="the-second-token")
    assert new.hello("nonce-of-the-second")[0] == 200
    answers = [
        old.hello(),
        old.hello("nonce-of-a-successor", recovering=True),
        old.heartbeat(),
        old.send(old.lines(("log", {}))),
        old.log(0, b"late"),
        old.end(exit_code=0),
    ]
    assert [(status, answer["code"]) for status, answer in answers] == [(409, "stale")] * 6
    assert old.upload("late.ckpt", b"late")[0] == 409
    assert not JobEvent.objects.filter(type="log").exists()
    assert job_of(new).log_bytes == 0
    assert new.heartbeat()[0] == 200


# Lease


def test_a_heartbeat_renews_the_lease_and_brings_an_unreachable_job_back() -> None:
    launcher = running()
    Attempt.objects.update(lease_until=timezone.now() - timedelta(minutes=1), unreachable_since=timezone.now())
    Job.objects.update(state=JobState.UNREACHABLE)
    status, answer = launcher.heartbeat()
    assert status == 200
    assert answer["lease_until"] > timezone.now().timestamp()
    assert job_of(launcher).state == JobState.RUNNING
    assert attempt_of(launcher).unreachable_since is None


def test_an_unreachable_job_comes_back_to_what_it_was() -> None:
    preparing = Launcher(started())
    preparing.hello()
    Job.objects.update(state=JobState.UNREACHABLE)
    preparing.heartbeat()
    assert job_of(preparing).state == JobState.STARTING
    Job.objects.update(state=JobState.UNREACHABLE, stop_reason="user")
    preparing.heartbeat()
    assert job_of(preparing).state == JobState.STOPPING


# The end


def test_the_end_waits_for_the_last_event_and_the_last_byte() -> None:
    launcher = running()
    launcher.say(("checkpoint", launcher.checkpoint("last", b"weights")), RESULT)
    status, answer = launcher.end(exit_code=0, last_seq={"trainer": 5, "launcher": 2}, log_bytes=10)
    assert (status, answer["code"]) == (409, "not_yet")
    assert answer["missing"] == {"trainer": 3, "launcher": 0, "log": 0}
    assert job_of(launcher).state == JobState.RUNNING
    assert launcher.end(exit_code=0) == (200, {"state": "succeeded"})


def test_an_end_said_again_is_answered_the_same_and_changes_nothing(told: support.Calls) -> None:
    launcher = running()
    launcher.say(("checkpoint", launcher.checkpoint("last", b"weights")), RESULT)
    assert launcher.end(exit_code=0) == (200, {"state": "succeeded"})
    before = job_of(launcher).version
    assert launcher.end(exit_code=1) == (200, {"state": "succeeded"})
    assert job_of(launcher).version == before
    assert told.ends == [(launcher.attempt.job_id, JobState.SUCCEEDED)]
    assert not SlotClaim.objects.exists()


@pytest.mark.parametrize("body", [{"last_seq": None}, {"last_seq": {"trainer": "x"}}, []])
def test_an_end_that_says_nothing_is_malformed(body: Any) -> None:
    launcher = running()
    status, answer = launcher.call("POST", "end", body)
    assert (status, answer["code"]) == (422, "malformed")


QUEUED, STOPPED, FAILED, ERRORED = JobState.QUEUED, JobState.STOPPED, JobState.FAILED, JobState.ERRORED
# Exit code, signal, reason of the launcher, who asked to stop, restarts so far → state and reason.
OUTCOMES = [
    (2, None, "", "", 0, FAILED, "bad_config"),
    (3, None, "", "", 0, FAILED, "bad_data"),
    (4, None, "", "", 0, FAILED, "out_of_memory"),
    (5, None, "", "", 0, FAILED, "mode_not_honoured"),
    (6, None, "", "", 0, FAILED, "diverged"),
    (2, None, "", "user", 0, FAILED, "bad_config"),
    (1, None, "", "", 0, FAILED, "trainer_crashed"),
    (None, 11, "", "", 0, FAILED, "trainer_crashed"),
    (0, None, "", "", 0, FAILED, "no_result"),
    (10, None, "", "", 0, STOPPED, "stopped_itself"),
    (10, None, "", "user", 0, STOPPED, "user"),
    (10, None, "user", "user", 0, STOPPED, "user"),
    (1, None, "user", "user", 0, STOPPED, "user"),
    (None, None, "user", "user", 0, STOPPED, "user"),
    (None, 9, "user", "user", 0, STOPPED, "user_killed"),
    (10, None, "platform_stopping", "platform_stopping", 0, QUEUED, "platform_stopping"),
    (None, None, "platform_stopping", "", 0, QUEUED, "platform_stopping"),
    (None, 9, "platform_stopping", "", 5, QUEUED, "platform_stopping"),
    (None, 9, "", "", 0, QUEUED, "restarting"),
    (137, None, "", "", 0, QUEUED, "restarting"),
    (None, 9, "", "", 5, FAILED, "killed"),
    (None, None, "launcher_lost", "", 0, QUEUED, "restarting"),
    (None, None, "launcher_lost", "", 5, ERRORED, "launcher_lost"),
    (None, None, "launcher_lost", "user", 0, STOPPED, "user"),
    (None, 9, "out_of_memory", "", 0, FAILED, "out_of_memory"),
    (None, 9, "journal_invalid", "", 0, FAILED, "journal_invalid"),
    (None, None, "environment_failed", "", 0, ERRORED, "environment_failed"),
    (None, None, "input_invalid", "", 0, ERRORED, "input_invalid"),
    (None, None, "input_missing", "", 0, ERRORED, "input_missing"),
    (None, None, "input_damaged", "", 0, ERRORED, "input_damaged"),
    (None, None, "trainer_missing", "", 0, ERRORED, "trainer_missing"),
    (None, None, "launcher_failed", "", 0, ERRORED, "launcher_failed"),
]


@pytest.mark.parametrize(("exit_code", "signal", "reason", "asked", "restarts", "state", "code"), OUTCOMES)
def test_every_end_has_its_meaning(
    exit_code: int | None, signal: int | None, reason: str, asked: str, restarts: int, state: str, code: str
) -> None:
    launcher = running()
    Job.objects.update(restarts=restarts)
    if asked == "user":
        lifecycle._request_stop(Job.objects.get(), "user", 5)
    elif asked:
        lifecycle.request_platform_stop(Job.objects.get(), 5)
    status, answer = launcher.end(exit_code, signal, reason, params={"message": "the facts"})
    assert (status, answer) == (200, {"state": state})
    job = job_of(launcher)
    assert (job.state, job.reason_code) == (state, code)
    assert code in REASONS
    said = worded(job.reason_code, job.reason_params)
    assert said is not None
    assert "?" not in said["text"]
    expected = restarts + 1 if code == "restarting" else restarts
    assert job.restarts == expected


def test_success_needs_a_result_and_weights() -> None:
    launcher = running()
    launcher.say(("checkpoint", launcher.checkpoint("resume", b"state")), RESULT)
    launcher.end(exit_code=0)
    assert job_of(launcher).reason_code == "no_result"


@pytest.mark.parametrize("mark", ["superseded", "missing"])
def test_weights_that_did_not_arrive_are_none(mark: str) -> None:
    launcher = running()
    launcher.say(("checkpoint", {"kind": "last", "name": "x", "sha256": "0" * 64, mark: True}), RESULT)
    launcher.end(exit_code=0)
    assert job_of(launcher).reason_code == "no_result"


def test_a_result_that_came_before_the_stop_counts() -> None:
    launcher = running()
    launcher.say(("checkpoint", launcher.checkpoint("best", b"weights")), RESULT)
    lifecycle._request_stop(Job.objects.get(), "user", 5)
    assert launcher.end(exit_code=0, reason="user")[1] == {"state": "succeeded"}


def test_the_trainers_own_words_are_the_reason() -> None:
    launcher = running()
    launcher.say(("failure", {"code": "bad_data", "message": "picture 7 is no picture", "params": {}}))
    launcher.end(exit_code=3)
    assert job_of(launcher).reason["text"] == "The trainer refused the data: picture 7 is no picture"


@pytest.mark.parametrize(
    ("asked", "restarts", "state", "code"),
    [
        ("", 0, QUEUED, "restarting"),
        ("", 5, ERRORED, "node_lost"),
        ("user", 0, STOPPED, "user_killed"),
        ("platform_stopping", 0, QUEUED, "platform_stopping"),
    ],
)
def test_an_attempt_that_nobody_can_report_on_is_given_up(asked: str, restarts: int, state: str, code: str) -> None:
    launcher = running()
    Job.objects.update(stop_reason=asked, restarts=restarts)
    attempt_lost(attempt=launcher.attempt, reason="node_lost")
    job = job_of(launcher)
    assert (job.state, job.reason_code) == (state, code)
    assert not SlotClaim.objects.exists()
    before = job.version
    attempt_lost(attempt=launcher.attempt, reason="node_lost")
    assert job_of(launcher).version == before
