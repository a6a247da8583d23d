"""Events: in order, once, never lost for being odd, under one cursor."""

import hashlib
import json
import threading
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.testing import captured_queries
from apps.jobs.models import Attempt, Job, JobArtifact, JobEvent
from apps.jobs.selectors import progress_text
from apps.jobs.services import attempts, ingest
from apps.jobs.states import JobState
from apps.metrics.models import Point
from tests.jobs.support import Launcher, running, started

pytestmark = pytest.mark.django_db


def note(text: Any = "x") -> tuple[str, Any]:
    return "log", {"level": "info", "message": text}


def stored(launcher: Launcher, stream: str = "trainer") -> list[tuple[int, str]]:
    rows = JobEvent.objects.filter(job_id=launcher.attempt.job_id, stream=stream).order_by("seq")
    return list(rows.values_list("stream_seq", "type"))


def only_event(launcher: Launcher, type_: str) -> JobEvent:
    return JobEvent.objects.get(job_id=launcher.attempt.job_id, type=type_)


def test_what_is_there_already_is_dropped() -> None:
    launcher = running()
    lines = launcher.lines(note(), note(), note())
    assert launcher.send(lines)[1]["acked"] == 4
    assert launcher.send(lines)[1]["acked"] == 4
    more = launcher.lines(note())
    assert launcher.send([*lines[1:], *more])[1]["acked"] == 5
    assert [number for number, _type in stored(launcher)] == [1, 2, 3, 4, 5]


def test_a_gap_is_refused_with_the_number_to_go_on_from() -> None:
    launcher = running()
    launcher.lines(note())
    status, answer = launcher.send(launcher.lines(note()))
    assert (status, answer["code"], answer["acked"]) == (422, "gap", 1)
    assert stored(launcher) == [(1, "started")]


def test_a_gap_inside_a_batch_stores_nothing_of_it() -> None:
    launcher = running()
    first, _lost, third = launcher.lines(note(), note(), note())
    assert launcher.send([first, third])[0] == 422
    assert stored(launcher) == [(1, "started")]


def test_the_streams_have_numbers_of_their_own_and_one_cursor() -> None:
    launcher = running()
    launcher.say(note(), stream="launcher")
    launcher.say(note())
    rows = JobEvent.objects.filter(job_id=launcher.attempt.job_id).order_by("seq")
    assert list(rows.values_list("seq", flat=True)) == list(range(1, rows.count() + 1))
    assert stored(launcher, "launcher") == [(1, "log")]
    assert Job.objects.get(pk=launcher.attempt.job_id).event_seq == rows.count()


def test_the_launchers_word_never_starts_or_ends_the_trainers_work() -> None:
    launcher = Launcher(started())
    launcher.hello()
    launcher.say(("started", {}), ("result", {"status": "succeeded"}), stream="launcher")
    assert Job.objects.get(pk=launcher.attempt.job_id).state == JobState.STARTING
    assert Attempt.objects.get(pk=launcher.attempt.pk).outcome == {}


def training_lines(first_step: int, count: int) -> list[tuple[str, Any]]:
    data = {"scope": "batch", "epoch": 0.5, "values": {"train/loss": 0.5, "lr/all": 0.1}}
    progress = {"stage": "training", "current": 1, "total": 2, "unit": "step", "fraction": 0.5}
    return [*[("metrics", {**data, "step": first_step + step}) for step in range(count - 1)], ("progress", progress)]


@pytest.mark.parametrize("count", [2, 1000])
def test_a_batch_costs_the_same_whatever_its_size(count: int) -> None:
    launcher = running()
    launcher.say(*training_lines(0, 2))
    lines = launcher.lines(*training_lines(10, count))
    queries = captured_queries(lambda: launcher.send(lines))
    # The token; lock the job, read the attempt; events, job; series, points; the attempt with its lease.
    assert len(queries) == 8, "\n".join(query[:100] for query in queries)


def test_more_than_a_thousand_lines_are_refused() -> None:
    launcher = running()
    assert launcher.send(launcher.lines(*[note()] * 1001))[0] == 422
    assert stored(launcher) == [(1, "started")]


ODD = [
    {"type": "metrics", "data": {"values": {"a": float("nan")}}},
    {"type": "metrics", "data": {"values": {"a": float("inf")}}},
    {"type": "log", "data": {"message": "nul \x00 here"}},
    {"type": "log", "data": {"nul \x00 key": 1}},
    {"type": "log", "data": {"message": "half \ud83d"}},
    {"type": "log", "data": {"message": "other half \ude00"}},
    {"type": "log", "data": {"message": "x" * 600_000}},
    {"type": "unknown", "data": {}},
    {"type": ["log"], "data": {}},
    {"type": None, "data": {}},
    {"type": "log", "data": []},
    {"type": "log", "data": "text"},
    {"type": "log"},
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_line_that_breaks_the_contract_becomes_a_warning_and_blocks_nothing(odd: dict[str, Any]) -> None:
    launcher = running()
    first, middle, last = launcher.lines(note("before"), note(), note("after"))
    status, answer = launcher.send([first, {"seq": middle["seq"], "time": 1.0, **odd}, last])
    assert (status, answer.get("acked")) == (200, 4)
    assert stored(launcher)[1:] == [(2, "log"), (3, "warning"), (4, "log")]
    assert only_event(launcher, "warning").data["code"] == "event_invalid"


@pytest.mark.parametrize(
    "text",
    ["emoji 😀 and 𝕏", "한국어", "the six characters \\u0000", "\\\\u0000", "line\nbreak\ttab \x1b[0m", "\x7f\u2028"],
)
def test_every_text_that_can_be_stored_is_stored_as_it_was(text: str) -> None:
    launcher = running()
    launcher.say(note(text))
    assert only_event(launcher, "log").data["message"] == text


@pytest.mark.parametrize("time", [None, "yesterday", True, -5, 0, 1e300, 10**400, float("nan"), [1]])
def test_a_time_that_is_none_is_replaced(time: Any) -> None:
    launcher = running()
    (line,) = launcher.lines(note())
    assert launcher.send([{**line, "time": time}])[0] == 200
    assert 2020 < only_event(launcher, "log").time.year < 3000


@pytest.mark.parametrize("lines", [[5], [None], [{}], [{"seq": "2"}], [{"seq": True}], [{"seq": 0}], [[]]])
def test_a_line_without_a_number_is_malformed(lines: list[Any]) -> None:
    launcher = running()
    status, answer = launcher.send(lines)
    assert (status, answer["code"]) == (422, "malformed")


def test_a_body_that_is_no_object_is_malformed() -> None:
    launcher = running()
    for raw in (b"", b"[]", b"{", b'{"a": ' * 100_000, b'{"events": 5}', b"\xff"):
        assert launcher.call("POST", "events", raw=raw)[0] == 422
    assert launcher.send([], stream="portal")[0] == 422


numbers = st.integers() | st.floats() | st.booleans() | st.just(10**400)
values = st.recursive(
    st.none() | numbers | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = ["step", "epoch", "scope", "values", "fraction", "current", "total", "unit", "stage", "name", "kind", "status"]
data = st.dictionaries(st.sampled_from(keys) | st.text(max_size=5), values, max_size=8)
types = st.sampled_from(["started", "progress", "metrics", "log", "checkpoint", "warning", "result", "failure"])


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=st.lists(st.tuples(types, data), min_size=1, max_size=4))
def test_whatever_a_trainer_writes_is_taken(events: list[tuple[str, Any]]) -> None:
    launcher = running()
    lines = launcher.lines(*events)
    body = json.dumps({"stream": "trainer", "events": lines}).encode()
    status, answer = launcher.call("POST", "events", raw=body)
    assert (status, answer.get("acked")) == (200, len(events) + 1)
    assert len(stored(launcher)) == len(events) + 1


@pytest.mark.parametrize(
    ("current", "total", "shown"),
    [
        (26.067, 30, "epoch 27 of 30"),
        (26.0, 30.0, "epoch 26 of 30"),
        (0, 30, "epoch 0 of 30"),
        ("x", 30, "epoch x of 30"),
    ],
)
def test_an_epoch_that_has_begun_is_named(current: Any, total: Any, shown: str) -> None:
    job = Job(progress=0.5, progress_detail={"unit": "epoch", "current": current, "total": total})
    assert progress_text(job) == shown


def test_progress_is_the_jobs_and_starts_anew_when_it_falls_back() -> None:
    launcher = running()
    for fraction in (0.1, 0.5):
        launcher.say(
            ("progress", {"stage": "training", "current": 1, "total": 9, "unit": "epoch", "fraction": fraction})
        )
    job = Job.objects.get(pk=launcher.attempt.job_id)
    assert (job.stage, job.progress, job.progress_detail["unit"]) == ("training", 0.5, "epoch")
    launcher.say(("progress", {"stage": "evaluating", "fraction": 0.2}))
    job.refresh_from_db()
    assert (job.progress, job.progress_detail["began_fraction"]) == (0.2, 0.2)
    launcher.say(("progress", {"stage": "evaluating", "fraction": 7}))
    job.refresh_from_db()
    assert job.progress == 1.0


def test_an_artifact_is_kept_once_per_name_and_the_last_counts() -> None:
    launcher = running()
    for content in (b"first", b"second picture"):
        launcher.upload("plot.png", content, kind="artifact")
        digest = hashlib.sha256(content).hexdigest()
        facts = {
            "name": "plot.png",
            "kind": "plot",
            "media_type": "image/png",
            "sha256": digest,
            "title": content.decode(),
        }
        launcher.say(("artifact", facts))
    artifact = JobArtifact.objects.get()
    assert (artifact.title, artifact.size) == ("second picture", 14)


def test_an_artifact_that_never_arrived_is_refused_and_one_that_is_missing_is_noted_only() -> None:
    launcher = running()
    facts = {"name": "plot.png", "kind": "plot", "sha256": "0" * 64}
    launcher.say(("artifact", {**facts, "missing": True}))
    status, answer = launcher.send(launcher.lines(("artifact", facts)))
    assert (status, answer["code"]) == (422, "file_missing")
    assert not JobArtifact.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_only_events_which_are_sent_again_do_not_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def watch(module: Any, name: str) -> None:
        inner = getattr(module, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SHOW synchronous_commit")
                seen.append((name, cursor.fetchone()[0]))
            return inner(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    launcher = running()
    # The tests' own server waits for nothing.
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")
    watch(ingest, "renew")
    watch(ingest, "locked")
    watch(attempts, "close_attempt")
    launcher.say(note())
    assert seen == [("locked", "on"), ("renew", "off")]
    launcher.log(0, b"a line\n")
    assert launcher.end()[0] == 200
    assert seen[2:] == [("locked", "on"), ("close_attempt", "on")]
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_both_streams_at_once_share_one_cursor_without_gap_or_repeat() -> None:
    launcher = running()
    failed: list[Any] = []

    def ship(stream: str) -> None:
        try:
            speaker = Launcher.__new__(Launcher)
            speaker.__dict__ = {**launcher.__dict__, "client": type(launcher.client)()}
            speaker.seq = {"trainer": 1, "launcher": 0}
            for number in range(10):
                metrics = {"scope": "batch", "step": number, "epoch": 0, "values": {f"{stream}/a": 1.0}}
                speaker.say(note(), ("metrics", metrics), stream=stream)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ship, args=(stream,)) for stream in ("trainer", "launcher")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    rows = JobEvent.objects.filter(job_id=launcher.attempt.job_id).order_by("seq")
    assert list(rows.values_list("seq", flat=True)) == list(range(1, rows.count() + 1))
    assert [number for number, _type in stored(launcher, "launcher")] == list(range(1, 21))
    assert Point.objects.count() == 20
