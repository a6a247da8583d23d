"""Storing points in the transaction that stores their events."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from apps.jobs.models import Attempt, Job, JobEvent
from apps.jobs.states import OPEN_ATTEMPTS
from apps.metrics.models import Rollup, Scope, Series

NAME = re.compile(r"[A-Za-z0-9_./() -]{1,120}")
MAX_STEP = 2**53
MAX_VALUE = 1e300
MAX_SERIES_PER_JOB = 2000

# Statements take columns as texts of SQL arrays: a list of numbers is converted one by one, a text is passed on.
INSERT_SERIES = """
INSERT INTO metrics_series (job_id, name, scope, count)
SELECT %s, name, scope, 0 FROM unnest(%s::text[], %s::text[]) AS fresh(name, scope)
ON CONFLICT (job_id, name) DO NOTHING
"""
# Tells the ids too, so that a batch of known series needs no other statement to find them, and whether the attempt has
# points of these steps already.
UPDATE_SERIES = """
UPDATE metrics_series AS series
SET count = series.count + fresh.count,
    last_step = fresh.step,
    last_value = fresh.last,
    min_value = least(series.min_value, fresh.low),
    max_value = greatest(series.max_value, fresh.high)
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[])
     AS fresh(name, count, first, step, last, low, high)
WHERE series.job_id = %s AND series.name = fresh.name
RETURNING series.name, series.id, EXISTS (
    SELECT FROM metrics_point AS point
    WHERE point.series_id = series.id AND point.attempt_no = %s AND point.step >= fresh.first
)
"""
INSERT_POINTS = """
INSERT INTO metrics_point (series_id, attempt_no, step, epoch, "time", value)
SELECT series_id, %s, step, epoch, "time", value
FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[])
     AS fresh(series_id, step, epoch, "time", value)
"""
# Three times as slow, and needed only where a trainer goes back. The job's lock keeps others away meanwhile.
REPLACE_POINTS = f"""{INSERT_POINTS}
ON CONFLICT (series_id, attempt_no, step) DO UPDATE
SET epoch = EXCLUDED.epoch, "time" = EXCLUDED."time", value = EXCLUDED.value
"""  # nosec B608  # two constants
SCOPES = tuple(Scope.values)

# How long after its end a job is still looked at: longer than an outage of the workers should be.
ROLLED_WITHIN = timedelta(hours=6)
# The last point stays as it is, so that a curve ends where it ends.
INSERT_ROLLUPS = """
INSERT INTO metrics_rollup (series_id, attempt_no, first_step, last_step, lowest, highest)
SELECT series_id, attempt_no, min(step), max(step), min(reading), max(reading)
FROM (
    SELECT point.series_id, point.attempt_no, point.step,
        ARRAY[point.value, point.step::float8, point.epoch, point."time"] AS reading,
        (row_number() OVER (PARTITION BY point.series_id, point.attempt_no ORDER BY point.step) - 1) / %(size)s AS part,
        (count(*) OVER (PARTITION BY point.series_id, point.attempt_no) - 1) / %(size)s AS parts
    FROM metrics_series AS series
    CROSS JOIN unnest(%(attempts)s::int[]) AS attempt(no)
    LEFT JOIN LATERAL (
        SELECT last_step FROM metrics_rollup AS rollup
        WHERE rollup.series_id = series.id AND rollup.attempt_no = attempt.no
        ORDER BY first_step DESC LIMIT 1
    ) AS done ON true
    JOIN metrics_point AS point
        ON point.series_id = series.id AND point.attempt_no = attempt.no AND point.step > coalesce(done.last_step, -1)
    WHERE series.job_id = %(job)s AND series.count >= %(least)s
) AS fresh
WHERE part < parts
GROUP BY series_id, attempt_no, part
"""
# A trainer that goes back within an attempt changes what was rolled up.
DELETE_ROLLUPS = """
DELETE FROM metrics_rollup AS rollup
USING unnest(%s::bigint[], %s::bigint[]) AS fresh(series_id, first)
WHERE rollup.series_id = fresh.series_id AND rollup.attempt_no = %s AND rollup.last_step >= fresh.first
"""


@dataclass(slots=True)
class _Batch:
    """Points of one series in one batch of events, by step."""

    scope: str
    points: dict[int, tuple[float | None, float, float]] = field(default_factory=dict)


def store_points(job: Job, attempt: Attempt, events: list[JobEvent]) -> None:
    """Reads `metrics` events (docs/trainer-contract.md) into points; two statements whatever the number.

    Values that are not finite, and names or steps that break the contract, stay in the event log only.
    """
    batches = _collect(events)
    if not batches:
        return
    with connection.cursor() as cursor:
        ids, again = _update_series(cursor, job, attempt, batches)
        fresh = {name: batch for name, batch in batches.items() if name not in ids}
        if fresh and _insert_series(cursor, job, fresh):
            ids |= _update_series(cursor, job, attempt, fresh)[0]
        rows = [
            (ids[name], step, *point)
            for name, batch in batches.items()
            if name in ids
            for step, point in batch.points.items()
        ]
        if rows:
            columns = [_array(column) for column in zip(*rows, strict=True)]
            cursor.execute(REPLACE_POINTS if again else INSERT_POINTS, [attempt.no, *columns])
        if again:
            firsts = {ids[name]: min(batch.points) for name, batch in batches.items() if name in ids}
            cursor.execute(DELETE_ROLLUPS, [list(firsts), list(firsts.values()), attempt.no])


def roll_up(job: Job) -> int:
    """Rolls up the points of a job's long series that came since the last time; the number of rollups written."""
    with transaction.atomic():
        # Points are stored with the job locked: none changes meanwhile.
        Job.objects.select_for_update().get(pk=job.pk)
        attempts = list(job.attempts.values_list("no", flat=True))
        values: dict[str, Any] = {"job": job.pk, "attempts": attempts, "size": Rollup.SIZE, "least": Rollup.LEAST}
        with connection.cursor() as cursor:
            cursor.execute(INSERT_ROLLUPS, values)
            return int(cursor.rowcount)


def roll_up_all() -> int:
    """One pass over the jobs that have run lately."""
    recent = Q(attempts__state__in=OPEN_ATTEMPTS) | Q(attempts__ended_at__gt=timezone.now() - ROLLED_WITHIN)
    long = Series.objects.filter(count__gte=Rollup.LEAST).values("job")
    return sum(roll_up(job) for job in Job.objects.filter(recent, pk__in=long).distinct().only("pk"))


def _collect(events: list[JobEvent]) -> dict[str, _Batch]:
    batches: dict[str, _Batch] = {}
    for event in events:
        if event.type != "metrics":
            continue
        data = event.data
        step, scope, values = data.get("step"), data.get("scope"), data.get("values")
        if not _is_step(step) or not isinstance(scope, str) or scope not in SCOPES or not isinstance(values, dict):
            continue
        epoch = data.get("epoch")
        moment = event.time.timestamp()
        epoch = float(epoch) if _is_finite(epoch) else None
        for name, value in values.items():
            if not _is_finite(value):
                continue
            batch = batches.get(name)
            if batch is None:
                if not NAME.fullmatch(name):
                    continue
                batch = batches[name] = _Batch(scope)
            batch.points[step] = (epoch, moment, float(value))
    return batches


def _update_series(cursor: Any, job: Job, attempt: Attempt, batches: dict[str, _Batch]) -> tuple[dict[str, int], bool]:
    """Sums up the batches in the series that there are; their ids by name, and whether a step may be there already."""
    rows = []
    for batch in batches.values():
        values = [point[2] for point in batch.points.values()]
        first, last = min(batch.points), max(batch.points)
        rows.append((len(values), first, last, batch.points[last][2], min(values), max(values)))
    columns = [_array(column) for column in zip(*rows, strict=True)]
    cursor.execute(UPDATE_SERIES, [list(batches), *columns, job.pk, attempt.no])
    found = cursor.fetchall()
    return {name: pk for name, pk, _again in found}, any(again for _name, _pk, again in found)


def _insert_series(cursor: Any, job: Job, batches: dict[str, _Batch]) -> bool:
    """Makes new series, up to a limit that no honest trainer reaches; whether it did."""
    if Series.objects.filter(job=job).count() + len(batches) > MAX_SERIES_PER_JOB:
        return False
    cursor.execute(INSERT_SERIES, [job.pk, list(batches), [batch.scope for batch in batches.values()]])
    return True


def _array(values: Iterable[float | None]) -> str:
    """Numbers as the text of an SQL array."""
    return f"{{{','.join('NULL' if value is None else repr(value) for value in values)}}}"


def _is_finite(value: Any) -> bool:
    """JSON's integers may be too large to become floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_VALUE < value < MAX_VALUE


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_STEP
