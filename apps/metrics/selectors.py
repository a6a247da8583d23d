"""Charts: a job's series, and their points thinned so that no peak is lost."""

from typing import Any

from django.db import connection

from apps.jobs.models import Job
from apps.metrics.models import Rollup, Scope, Series

# Points sent for one series when the caller asks for none in particular.
DEFAULT_POINTS = 1000
MAX_POINTS = 20_000
AXES = {
    "step": "point.step::float8",
    "epoch": "coalesce(point.epoch, point.step::float8)",
    "time": 'point."time"',
}

# Points of earlier attempts are cut where the next attempt went on: what came after was done again. What the machine
# used is counted by samples, not by steps of the work, and nothing of it was done again.
VISIBLE = """
SELECT point.series_id, point.attempt_no, point.step, point.epoch, point."time", point.value, {axis} AS x
FROM metrics_point AS point
JOIN unnest(%(attempts)s::int[], %(cuts)s::bigint[]) AS cut(attempt_no, step) ON cut.attempt_no = point.attempt_no
WHERE point.series_id = ANY(%(series)s) AND (point.step <= cut.step OR point.series_id = ANY(%(uncut)s))
"""
# The same for charts of whole trainings: the extremes of each rollup, the points that have none yet, and the first,
# so that the curve begins where it begins. A rollup across a cut counts by its points.
ROLLED = """
SELECT series_id, attempt_no, step, epoch, "time", value, {axis} AS x
FROM (
    WITH cut AS (SELECT * FROM unnest(%(attempts)s::int[], %(cuts)s::bigint[]) AS cut(attempt_no, step)),
    kept AS (
        SELECT rollup.* FROM metrics_rollup AS rollup
        JOIN cut ON cut.attempt_no = rollup.attempt_no
        WHERE series_id = ANY(%(series)s) AND (last_step <= cut.step OR series_id = ANY(%(uncut)s))
    ),
    done AS (SELECT series_id, attempt_no, max(last_step) AS step FROM kept GROUP BY series_id, attempt_no)
    SELECT series_id, attempt_no, reading[2]::bigint AS step, reading[3] AS epoch, reading[4] AS "time",
        reading[1] AS value
    FROM kept, LATERAL (VALUES (lowest), (highest)) AS extreme(reading)
    UNION ALL
    SELECT point.series_id, point.attempt_no, point.step, point.epoch, point."time", point.value
    FROM unnest(%(series)s::bigint[]) AS asked(series_id)
    CROSS JOIN cut
    LEFT JOIN done ON done.series_id = asked.series_id AND done.attempt_no = cut.attempt_no
    CROSS JOIN LATERAL (
        (
            SELECT * FROM metrics_point AS fresh
            WHERE fresh.series_id = asked.series_id AND fresh.attempt_no = cut.attempt_no
                AND fresh.step > coalesce(done.step, -1)
        )
        UNION ALL
        (
            SELECT * FROM metrics_point AS first
            WHERE first.series_id = asked.series_id AND first.attempt_no = cut.attempt_no AND done.step IS NOT NULL
            ORDER BY step LIMIT 1
        )
    ) AS point
    WHERE point.step <= cut.step OR point.series_id = ANY(%(uncut)s)
) AS point
"""
ALL = """
WITH visible AS ({visible})
SELECT series_id, step, epoch, "time", value, attempt_no FROM visible
WHERE (%(low)s::float8 IS NULL OR x >= %(low)s) AND (%(high)s::float8 IS NULL OR x <= %(high)s)
ORDER BY series_id, x, attempt_no, step
"""
RANGES = """
WITH visible AS ({visible})
SELECT series_id, min(x), max(x) FROM visible
WHERE (%(low)s::float8 IS NULL OR x >= %(low)s) AND (%(high)s::float8 IS NULL OR x <= %(high)s)
GROUP BY series_id
"""
# Two points a bucket: where the value is lowest and where it is highest. Arrays compare by their first member first.
BUCKETS = """
WITH visible AS ({visible})
SELECT series_id,
    min(ARRAY[value, x, step::float8, epoch, "time", attempt_no::float8]),
    max(ARRAY[value, x, step::float8, epoch, "time", attempt_no::float8])
FROM visible
JOIN unnest(%(ranged)s::bigint[], %(lows)s::float8[], %(highs)s::float8[]) AS range(id, low, high) ON id = series_id
WHERE x BETWEEN range.low AND range.high
GROUP BY series_id, least(floor((x - range.low) * %(buckets)s / nullif(range.high - range.low, 0))::int, %(last)s)
ORDER BY series_id, min(x)
"""


def series_of(job: Job) -> list[Series]:
    return list(Series.objects.filter(job=job).order_by("name"))


def chart(
    job: Job,
    series: list[Series],
    *,
    axis: str = "step",
    low: float | None = None,
    high: float | None = None,
    points: int = DEFAULT_POINTS,
) -> dict[int, tuple[list[list[Any]], bool]]:
    """Series id → (points, whether they were thinned).

    A point is `[step, epoch or None, Unix time, value, attempt_no]`, in the order of the axis. `low` and `high` limit
    the axis. A series with more than `points` points is thinned to the lowest and highest of `points // 2` buckets.
    """
    zoomed = low is not None or high is not None
    points = max(2, min(points, MAX_POINTS))
    attempts, cuts = attempt_cuts(job)
    found: dict[int, tuple[list[list[Any]], bool]] = {item.pk: ([], False) for item in series}
    if not attempts or not series:
        return found
    whole = [item.pk for item in series if item.count <= points]
    long = [item for item in series if item.count > points]
    rolled = [] if zoomed else [item.pk for item in long if _has_fine_rollups(item, points)]
    counted = [item.pk for item in long if item.pk not in set(rolled)]
    shared: dict[str, Any] = {
        "attempts": attempts,
        "cuts": cuts,
        "uncut": [item.pk for item in series if item.scope == Scope.SYSTEM],
        "low": low,
        "high": high,
        "buckets": points // 2,
        "last": points // 2 - 1,
    }
    with connection.cursor() as cursor:
        if whole:
            cursor.execute(ALL.format(visible=VISIBLE.format(axis=AXES[axis])), {**shared, "series": whole})
            for series_id, *point in cursor:
                found[series_id][0].append(point)
        for source, asked in ((ROLLED, rolled), (VISIBLE, counted)):
            if asked:
                values = {**shared, "series": asked}
                rows = _thinned(cursor, source.format(axis=AXES[axis]), values)
                found |= {pk: (rows.get(pk, []), True) for pk in asked}
    return found


def attempt_cuts(job: Job) -> tuple[list[int], list[int]]:
    """Attempt numbers, and for each the highest step that still counts."""
    rows = list(job.attempts.order_by("no").values_list("no", "resumed_step", "hello_at"))
    numbers, cuts, limit = [], [], 2**62
    for no, resumed_step, hello_at in reversed(rows):
        numbers.append(no)
        cuts.append(limit)
        # An attempt that never spoke has superseded nothing.
        if hello_at is not None:
            limit = min(limit, -1 if resumed_step is None else resumed_step)
    return numbers, cuts


def _has_fine_rollups(series: Series, points: int) -> bool:
    """Whether rollups of the series are shorter than the buckets of a chart of so many points."""
    return series.count >= max(Rollup.LEAST, points // 2 * Rollup.SIZE)


def _thinned(cursor: Any, visible: str, values: dict[str, Any]) -> dict[int, list[list[Any]]]:
    """Points of each series, the lowest and the highest of each bucket."""
    cursor.execute(RANGES.format(visible=visible), values)
    ranges = cursor.fetchall()
    if not ranges:
        return {}
    ranged, lows, highs = (list(column) for column in zip(*ranges, strict=True))
    cursor.execute(BUCKETS.format(visible=visible), {**values, "ranged": ranged, "lows": lows, "highs": highs})
    found: dict[int, list[list[Any]]] = {}
    for series_id, lowest, highest in cursor:
        found.setdefault(series_id, []).extend(_ends(lowest, highest))
    return found


def _ends(lowest: list[Any], highest: list[Any]) -> list[list[Any]]:
    """The two ends of a bucket in the order of the axis; one when they are the same point."""
    if lowest == highest:
        return [_point(lowest)]
    return [_point(row) for row in sorted((lowest, highest), key=lambda row: (row[1], row[2]))]


def _point(row: list[Any]) -> list[Any]:
    value, _x, step, epoch, time, attempt_no = row
    return [int(step), epoch, time, value, int(attempt_no)]
