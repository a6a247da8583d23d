"""Charts: a job's series, and their points thinned so that no peak is lost."""

from typing import Any

from django.db import connection

from apps.jobs.models import Job
from apps.metrics.models import Series

# Points sent for one series when the caller asks for none in particular.
DEFAULT_POINTS = 1000
MAX_POINTS = 20_000
AXES = {"step": "step::float8", "epoch": "coalesce(epoch, step::float8)", "time": '"time"'}

# Points of earlier attempts are cut where the next attempt went on: what came after was done again.
VISIBLE = """
SELECT point.series_id, point.attempt_no, point.step, point.epoch, point."time", point.value, {axis} AS x
FROM metrics_point AS point
JOIN unnest(%(attempts)s::int[], %(cuts)s::bigint[]) AS cut(attempt_no, step) ON cut.attempt_no = point.attempt_no
WHERE point.series_id = ANY(%(series)s) AND point.step <= cut.step
"""
ALL = """
WITH visible AS ({visible})
SELECT series_id, step, epoch, "time", value, attempt_no FROM visible
WHERE (%(low)s::float8 IS NULL OR x >= %(low)s) AND (%(high)s::float8 IS NULL OR x <= %(high)s)
ORDER BY series_id, x, step
"""
# Two points a bucket: where the value is lowest and where it is highest.
BUCKETS = """
WITH visible AS MATERIALIZED ({visible}),
range AS (
    SELECT series_id, min(x) AS low, max(x) AS high FROM visible
    WHERE (%(low)s::float8 IS NULL OR x >= %(low)s) AND (%(high)s::float8 IS NULL OR x <= %(high)s)
    GROUP BY series_id
),
bucketed AS (
    SELECT visible.*, CASE WHEN range.high > range.low
        THEN least(floor((x - range.low) / (range.high - range.low) * %(buckets)s), %(buckets)s - 1) ELSE 0
        END AS bucket
    FROM visible JOIN range USING (series_id) WHERE x BETWEEN range.low AND range.high
),
ends AS (
    SELECT series_id, bucket,
        (array_agg(ARRAY[step::float8, epoch, "time", value, attempt_no::float8] ORDER BY value, x))[1:1] AS lowest,
        (array_agg(ARRAY[step::float8, epoch, "time", value, attempt_no::float8] ORDER BY value DESC, x))[1:1] AS highest
    FROM bucketed GROUP BY series_id, bucket
)
SELECT series_id, lowest, highest FROM ends ORDER BY series_id, bucket
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
    points = max(2, min(points, MAX_POINTS))
    attempts, cuts = attempt_cuts(job)
    found: dict[int, tuple[list[list[Any]], bool]] = {item.pk: ([], False) for item in series}
    if not attempts or not series:
        return found
    whole = [item.pk for item in series if item.count <= points]
    long = [item.pk for item in series if item.count > points]
    visible = VISIBLE.format(axis=AXES[axis])
    shared = {"attempts": attempts, "cuts": cuts, "low": low, "high": high, "buckets": points // 2}
    with connection.cursor() as cursor:
        if whole:
            cursor.execute(ALL.format(visible=visible), {**shared, "series": whole})
            for series_id, *point in cursor:
                found[series_id][0].append(point)
        if long:
            cursor.execute(BUCKETS.format(visible=visible), {**shared, "series": long})
            for series_id, lowest, highest in cursor:
                rows = found.setdefault(series_id, ([], True))[0]
                rows.extend(_ends(lowest, highest, axis))
            for series_id in long:
                found[series_id] = (found[series_id][0], True)
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


def _ends(lowest: Any, highest: Any, axis: str) -> list[list[Any]]:
    """The two ends of a bucket in the order of the axis; one when they are the same point."""
    first, second = (_point(row) for row in (lowest, highest))
    if first == second:
        return [first]
    place = {"step": 0, "epoch": 1, "time": 2}[axis]
    return sorted(
        [first, second], key=lambda point: (point[place] if point[place] is not None else point[0], point[0])
    )


def _point(row: Any) -> list[Any]:
    step, epoch, time, value, attempt_no = row[0] if isinstance(row[0], list) else row
    return [int(step), epoch, time, value, int(attempt_no)]
