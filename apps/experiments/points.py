"""Where the metric points of a run come from. The app that keeps them registers the source; this app reads on.

A source hands out every point of a run once, in an order that never changes, page by page behind a cursor of its own.
A point that was handed out and changes later is not handed out again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

PAGE = 5000


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One value of the series `name`.

    `thin` marks a series with a point per batch, of which MLflow gets at most 1,000. `time` is in seconds since 1970;
    `value` may be NaN or infinite.
    """

    name: str
    step: int
    time: float
    value: float
    thin: bool = False


@dataclass(frozen=True, slots=True)
class PointsPage:
    """`cursor` (JSON) leads to the points after these; `more` says whether there are any now."""

    points: Sequence[MetricPoint] = field(default_factory=tuple)
    cursor: Any = None
    more: bool = False


# (run id, cursor or None for the beginning, most points of a page) → the page.
PointsSource = Callable[[UUID, Any, int], PointsPage]
_source: PointsSource | None = None


def register_points_source(source: PointsSource) -> None:
    """Names the one source of all runs' points."""
    global _source
    _source = source


def points_since(run_id: UUID, cursor: Any) -> PointsPage:
    """The run's points after the cursor; none while no source is registered."""
    return _source(run_id, cursor, PAGE) if _source is not None else PointsPage(cursor=cursor)
