"""The points of a run, for its mirror in MLflow: read from the event log, whose order never changes."""

from typing import Any
from uuid import UUID

from apps.experiments.points import MetricPoint, PointsPage
from apps.jobs.models import JobEvent
from apps.training.models import TrainingJob

# Events read at once; each holds a handful of values.
EVENTS_A_PAGE = 500
MAX_STEP = 2**53
MAX_VALUE = 1e300


def points_of_run(run_id: UUID, cursor: Any, limit: int) -> PointsPage:
    """Points after the cursor, which is the `event_seq` of the last event read. System metrics stay in the portal."""
    after = int(cursor or 0)
    job_id = TrainingJob.objects.filter(run_id=run_id).values_list("job_id", flat=True).first()
    if job_id is None:
        return PointsPage(cursor=cursor)
    rows = JobEvent.objects.filter(job_id=job_id, type="metrics", stream="trainer", seq__gt=after).order_by("seq")
    events = list(rows[: min(EVENTS_A_PAGE, limit)])
    points: list[MetricPoint] = []
    for event in events:
        found = _points(event)
        if points and len(points) + len(found) > limit:
            break
        points += found
        after = event.seq
    return PointsPage(points=points, cursor=after, more=bool(events) and rows.filter(seq__gt=after).exists())


def _points(event: JobEvent) -> list[MetricPoint]:
    data = event.data
    values, step = data.get("values"), data.get("step")
    if not isinstance(values, dict) or not isinstance(step, int) or not 0 <= step < MAX_STEP:
        return []
    thin, time = data.get("scope") == "batch", event.time.timestamp()
    numbers = ((name, _number(value)) for name, value in values.items())
    return [MetricPoint(name, step, time, value, thin) for name, value in numbers if value is not None]


def _number(value: Any) -> float | None:
    """Numbers, and the three that JSON cannot write."""
    if isinstance(value, str):
        return float(value) if value in {"NaN", "Infinity", "-Infinity"} else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # JSON's integers may be too large to become floats.
    return float(value) if is_number and -MAX_VALUE < value < MAX_VALUE else None
