"""Storing points in the transaction that stores their events."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from apps.jobs.models import Attempt, Job, JobEvent
from apps.metrics.models import Scope, Series

NAME = re.compile(r"[A-Za-z0-9_./() -]{1,120}")
MAX_STEP = 2**53
MAX_VALUE = 1e300
MAX_SERIES_PER_JOB = 2000

INSERT_SERIES = """
INSERT INTO metrics_series (job_id, name, scope, count)
SELECT %s, name, scope, 0 FROM unnest(%s::text[], %s::text[]) AS fresh(name, scope)
ON CONFLICT (job_id, name) DO NOTHING
"""
INSERT_POINTS = """
INSERT INTO metrics_point (series_id, attempt_no, step, epoch, "time", value)
SELECT series_id, %s, step, epoch, "time", value
FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[])
     AS fresh(series_id, step, epoch, "time", value)
ON CONFLICT (series_id, attempt_no, step) DO UPDATE
SET epoch = EXCLUDED.epoch, "time" = EXCLUDED."time", value = EXCLUDED.value
"""
UPDATE_SERIES = """
UPDATE metrics_series AS series
SET count = series.count + fresh.count,
    last_step = fresh.step,
    last_value = fresh.last,
    min_value = least(series.min_value, fresh.low),
    max_value = greatest(series.max_value, fresh.high)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[])
     AS fresh(id, count, step, last, low, high)
WHERE series.id = fresh.id
"""


@dataclass(slots=True)
class _Batch:
    """Points of one series in one batch of events, by step."""

    scope: str
    points: dict[int, tuple[float | None, float, float]] = field(default_factory=dict)


def store_points(job: Job, attempt: Attempt, events: list[JobEvent]) -> None:
    """Reads `metrics` events (docs/trainer-contract.md) into points; three statements whatever the number.

    Values that are not finite, and names or steps that break the contract, stay in the event log only.
    """
    batches = _collect(events)
    if not batches:
        return
    ids = _series_ids(job, batches)
    batches = {name: batch for name, batch in batches.items() if name in ids}
    rows = [(ids[name], step, *point) for name, batch in batches.items() for step, point in batch.points.items()]
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_POINTS, [attempt.no, *columns])
        cursor.execute(UPDATE_SERIES, _summaries(ids, batches))


def _collect(events: list[JobEvent]) -> dict[str, _Batch]:
    batches: dict[str, _Batch] = {}
    for event in events:
        if event.type != "metrics":
            continue
        data = event.data
        step, scope, values = data.get("step"), data.get("scope"), data.get("values")
        if not _is_step(step) or scope not in Scope.values or not isinstance(values, dict):
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


def _series_ids(job: Job, batches: dict[str, _Batch]) -> dict[str, int]:
    """Ids by name; new series are made, up to a limit that no honest trainer reaches."""
    rows = Series.objects.filter(job=job, name__in=list(batches))
    ids = dict(rows.values_list("name", "id"))
    fresh = [name for name in batches if name not in ids]
    if fresh and Series.objects.filter(job=job).count() + len(fresh) <= MAX_SERIES_PER_JOB:
        with connection.cursor() as cursor:
            cursor.execute(INSERT_SERIES, [job.pk, fresh, [batches[name].scope for name in fresh]])
        ids = dict(rows.all().values_list("name", "id"))
    return ids


def _summaries(ids: dict[str, int], batches: dict[str, _Batch]) -> list[list[Any]]:
    columns: list[list[Any]] = [[], [], [], [], [], []]
    for name, batch in batches.items():
        values = [point[2] for point in batch.points.values()]
        last = max(batch.points)
        row = (ids[name], len(values), last, batch.points[last][2], min(values), max(values))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


def _is_finite(value: Any) -> bool:
    """JSON's integers may be too large to become floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_VALUE < value < MAX_VALUE


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_STEP
