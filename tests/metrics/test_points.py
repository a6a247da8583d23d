"""Points: stored with their events, cut where a later attempt went on, thinned without losing a peak."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.jobs.models import Attempt, Job, JobEvent
from apps.jobs.services.attempts import attempt_lost
from apps.jobs.services.dispatch import dispatch
from apps.metrics.models import Point, Rollup, Series
from apps.metrics.selectors import chart, series_of
from apps.metrics.services import roll_up, roll_up_all
from tests.jobs.support import Launcher, make_job, running

pytestmark = pytest.mark.django_db


def metrics(step: Any, scope: str = "batch", epoch: Any = None, **values: Any) -> tuple[str, dict[str, Any]]:
    named = {name.replace("_", "/", 1): value for name, value in values.items()}
    return "metrics", {"scope": scope, "step": step, "epoch": epoch, "values": named}


def job_of(launcher: Launcher) -> Job:
    return Job.objects.get(pk=launcher.attempt.job_id)


def drawn(job: Job, name: str = "train/loss", **options: Any) -> list[tuple[Any, ...]]:
    """Step, value and attempt of each point that a chart shows."""
    (series,) = [item for item in series_of(job) if item.name == name]
    points, _thinned = chart(job, [series], **options)[series.pk]
    return [(step, value, attempt) for step, _epoch, _time, value, attempt in points]


def next_attempt(launcher: Launcher, resumed_step: int | None) -> Launcher:
    """The attempt is lost and another goes on."""
    if resumed_step is not None:
        launcher.say(("checkpoint", launcher.checkpoint("resume", b"%d" % resumed_step, step=resumed_step)))
    attempt_lost(attempt=launcher.attempt, reason="node_lost")
    dispatch()
    attempt = Attempt.objects.filter(job=launcher.attempt.job).latest("no")
    found = Launcher(attempt, token=f"token-{attempt.no}")
    assert found.hello(f"nonce-of-{attempt.no}")[0] == 200
    return found


def test_values_become_points_of_their_series() -> None:
    launcher = running()
    launcher.say(metrics(1, train_loss=2.5, lr_all=0.1), metrics(2, train_loss=1.5), metrics(2, "epoch", 1, val_map=1))
    job = job_of(launcher)
    assert drawn(job) == [(1, 2.5, 1), (2, 1.5, 1)]
    loss = Series.objects.get(job=job, name="train/loss")
    assert (loss.scope, loss.count, loss.last_step, loss.last_value) == ("batch", 2, 2, 1.5)
    assert (loss.min_value, loss.max_value) == (1.5, 2.5)
    assert Series.objects.get(name="val/map").scope == "epoch"
    (point,) = chart(job, [Series.objects.get(name="val/map")])[Series.objects.get(name="val/map").pk][0]
    assert point[:2] == [2, 1.0]
    assert abs(point[2] - time.time()) < 60


def test_a_step_said_again_within_an_attempt_has_its_last_value_and_the_event_log_has_both() -> None:
    launcher = running()
    launcher.say(metrics(1, train_loss=1), metrics(1, train_loss=2))
    launcher.say(metrics(1, train_loss=3))
    assert drawn(job_of(launcher)) == [(1, 3, 1)]
    assert JobEvent.objects.filter(type="metrics").count() == 3


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", None, True, "0.5", [1], {}, 10**400])
def test_a_value_that_is_no_finite_number_stays_in_the_event_log_only(value: Any) -> None:
    launcher = running()
    launcher.say(metrics(1, train_loss=value, lr_all=1))
    assert [series.name for series in series_of(job_of(launcher))] == ["lr/all"]
    assert JobEvent.objects.filter(type="metrics").count() == 1


@pytest.mark.parametrize(
    "data",
    [
        {"scope": "batch", "step": -1, "values": {"a": 1}},
        {"scope": "batch", "step": 2**53, "values": {"a": 1}},
        {"scope": "batch", "step": 1.5, "values": {"a": 1}},
        {"scope": "batch", "step": True, "values": {"a": 1}},
        {"scope": "batch", "values": {"a": 1}},
        {"scope": "other", "step": 1, "values": {"a": 1}},
        {"scope": ["batch"], "step": 1, "values": {"a": 1}},
        {"scope": "batch", "step": 1, "values": [1]},
        {"scope": "batch", "step": 1, "values": {"bad;name": 1, "x" * 121: 1, "": 1}},
    ],
)
def test_what_breaks_the_contract_makes_no_point(data: dict[str, Any]) -> None:
    launcher = running()
    launcher.say(("metrics", data))
    assert not Point.objects.exists()
    assert not Series.objects.exists()


def test_there_is_an_end_to_the_number_of_series() -> None:
    launcher = running()
    launcher.say(("metrics", {"scope": "batch", "step": 1, "values": {f"s/{n}": 1 for n in range(2000)}}))
    launcher.say(("metrics", {"scope": "batch", "step": 2, "values": {"s/0": 2, "one/more": 1}}))
    assert Series.objects.count() == 2000
    assert Point.objects.filter(step=2).count() == 1


def test_earlier_attempts_are_cut_where_the_next_went_on() -> None:
    first = running()
    first.say(*[metrics(step, train_loss=step) for step in range(1, 31)])
    second = next_attempt(first, 20)
    second.say(*[metrics(step, train_loss=100 + step) for step in range(21, 26)])
    job = job_of(first)
    expected = [(step, step, 1) for step in range(1, 21)] + [(step, 100 + step, 2) for step in range(21, 26)]
    assert drawn(job) == expected
    # A third that begins anew supersedes everything; one that never spoke supersedes nothing.
    Attempt.objects.filter(no=2).update(resumed_step=None)
    assert drawn(job) == [(step, 100 + step, 2) for step in range(21, 26)]
    Attempt.objects.filter(no=2).update(hello_at=None)
    assert len(drawn(job)) == 35


def test_a_later_attempt_that_went_on_earlier_cuts_all_before_it() -> None:
    first = running()
    first.say(*[metrics(step, train_loss=1) for step in range(1, 11)])
    second = next_attempt(first, 10)
    second.say(*[metrics(step, train_loss=2) for step in range(11, 21)])
    third = next_attempt(second, None)
    Attempt.objects.filter(no=3).update(resumed_step=5)
    third.say(metrics(6, train_loss=3))
    assert drawn(job_of(first)) == [*[(step, 1, 1) for step in range(1, 6)], (6, 3, 3)]


def test_what_the_machine_used_is_never_cut() -> None:
    first = running()
    first.say(*[metrics(number, "system", system_memory_mb=number) for number in range(5)], stream="launcher")
    second = next_attempt(first, None)
    second.say(metrics(0, "system", system_memory_mb=9), stream="launcher")
    names = [series.name for series in series_of(job_of(first))]
    assert names == ["system/memory_mb"]
    found = drawn(job_of(first), "system/memory_mb", axis="time")
    assert [value for _step, value, _attempt in found] == [0, 1, 2, 3, 4, 9]


@pytest.mark.parametrize("axis", ["step", "epoch", "time"])
def test_every_axis_orders_and_limits(axis: str) -> None:
    launcher = running()
    for number in range(10):
        (line,) = launcher.lines(metrics(number, epoch=number / 10, train_loss=number))
        launcher.send([{**line, "time": 1_000_000 + number}])
    scale = {"step": lambda n: n, "epoch": lambda n: n / 10, "time": lambda n: 1_000_000 + n}[axis]
    found = drawn(job_of(launcher), axis=axis, low=scale(3), high=scale(6))
    assert [step for step, _value, _attempt in found] == [3, 4, 5, 6]
    thinned = drawn(job_of(launcher), axis=axis, low=scale(3), high=scale(6), points=2)
    assert [step for step, _value, _attempt in thinned] == [3, 6]


def test_thinning_keeps_the_extremes_of_every_part_and_says_so() -> None:
    launcher = running()
    for begin in range(0, 5000, 1000):
        launcher.say(*[metrics(step, train_loss=step % 7) for step in range(begin, begin + 1000)])
    launcher.say(metrics(1234, train_loss=1e6), metrics(4321, train_loss=-1e6))
    job = job_of(launcher)
    (series,) = series_of(job)
    points, thinned = chart(job, [series], points=100)[series.pk]
    assert thinned
    assert 50 <= len(points) <= 100
    assert [1234, 1e6] in [[point[0], point[3]] for point in points]
    assert [4321, -1e6] in [[point[0], point[3]] for point in points]
    assert [point[0] for point in points] == sorted(point[0] for point in points)
    assert chart(job, [series], points=20_000)[series.pk][1] is False


def test_a_series_of_one_step_or_of_none_is_drawn() -> None:
    launcher = running()
    launcher.say(*[metrics(7, train_loss=value) for value in (1, 2, 3)])
    assert drawn(job_of(launcher), points=2) == [(7, 3, 1)]
    assert drawn(job_of(launcher), low=100.0) == []
    assert chart(make_job(), []) == {}


def fill(job: Job, attempt_no: int, steps: range, scope: str = "batch") -> Series:
    """A series of one wave, as if it had been said."""
    series, _made = Series.objects.get_or_create(job=job, name="train/wave", scope=scope)
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO metrics_point (series_id, attempt_no, step, epoch, "time", value) '
            "SELECT %s, %s, step, step / 100.0, 1790000000 + step, sin(step * 1.7) * step "
            "FROM generate_series(%s, %s) AS step",
            [series.pk, attempt_no, steps.start, steps.stop - 1],
        )
    series.count += len(steps)
    series.save()
    return series


def extremes(points: list[list[Any]]) -> tuple[list[Any], list[Any]]:
    return min(points, key=lambda point: point[3]), max(points, key=lambda point: point[3])


@pytest.mark.parametrize("axis", ["step", "epoch", "time"])
def test_a_chart_of_rollups_has_the_ends_and_extremes_of_its_points(axis: str) -> None:
    job = job_of(running())
    series = fill(job, 1, range(5000))
    whole = chart(job, [series], axis=axis, points=20_000)[series.pk][0]
    read = chart(job, [series], axis=axis, points=100)[series.pk][0]
    assert roll_up(job) == 5000 // Rollup.SIZE
    assert roll_up(job) == 0
    rolled = chart(job, [series], axis=axis, points=100)[series.pk][0]
    assert rolled[0][0] <= Rollup.SIZE
    assert rolled[-1][0] >= 4999 - Rollup.SIZE
    assert extremes(rolled) == extremes(whole) == extremes(read)
    assert [point for point in rolled if point not in whole] == []
    # What has come since is drawn too.
    series = fill(job, 1, range(5000, 5100))
    assert chart(job, [series], axis=axis, points=100)[series.pk][0][-1][0] >= 5050


def test_rollups_are_read_instead_of_points() -> None:
    job = job_of(running())
    series = fill(job, 1, range(5000))
    assert roll_up(job) > 0
    Rollup.objects.filter(first_step=640).update(highest=[9e9, 650, 6.5, 1790000650])
    assert extremes(chart(job, [series], points=100)[series.pk][0])[1] == [650, 6.5, 1790000650, 9e9, 1]


def test_a_rollup_across_a_cut_counts_by_its_points() -> None:
    launcher = running()
    job = job_of(launcher)
    series = fill(job, 1, range(2000))
    assert roll_up(job) > 0
    next_attempt(launcher, resumed_step=1000)
    for scope, last in (("batch", 1000), ("system", 1999)):
        Series.objects.update(scope=scope)
        series.refresh_from_db()
        drawn_points = chart(job, [series], points=30)[series.pk][0]
        whole = chart(job, [series], points=20_000)[series.pk][0]
        assert max(point[0] for point in whole) == last
        assert extremes(drawn_points) == extremes(whole)


def test_going_back_within_an_attempt_unmakes_rollups() -> None:
    launcher = running()
    for begin in (0, 750):
        launcher.say(*[metrics(step, train_loss=step % 7) for step in range(begin, begin + 750)])
    job = job_of(launcher)
    assert roll_up_all() == 1500 // Rollup.SIZE
    launcher.say(metrics(700, train_loss=1e6))
    (series,) = series_of(job)
    assert [700, 1e6] in [[point[0], point[3]] for point in chart(job, [series], points=20)[series.pk][0]]
    assert roll_up(job) > 0
    assert [700, 1e6] in [[point[0], point[3]] for point in chart(job, [series], points=20)[series.pk][0]]


def test_short_series_and_jobs_of_long_ago_are_not_rolled_up() -> None:
    launcher = running()
    launcher.say(*[metrics(step, train_loss=step % 7) for step in range(1000)])
    assert roll_up_all() == 0
    fill(job_of(launcher), 1, range(2000))
    Attempt.objects.update(state="ended", ended_at=timezone.now() - timedelta(days=1))
    assert roll_up_all() == 0
    Attempt.objects.update(ended_at=timezone.now())
    assert roll_up_all() > 0
