"""Calls by day as columns of an SVG, drawn where the page is made."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 720, 140


@dataclass(frozen=True, slots=True)
class Column:
    """A day: what went well below, errors on top. In units of the drawing, from its upper left corner."""

    day: Any
    calls: int
    errors: int
    x: float
    width: float
    good: tuple[float, float]
    bad: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Plot:
    columns: list[Column]
    most: int
    width: int = WIDTH
    height: int = HEIGHT


def plot_of(days: list[dict[str, Any]]) -> Plot:
    """The columns of `selectors.calls_by_day`; a call at all is at least a pixel high."""
    most = max((day["calls"] for day in days), default=0)
    step = WIDTH / max(1, len(days))
    columns = []
    for number, day in enumerate(days):
        whole, failed = _high(day["calls"], most), _high(min(day["errors"], day["calls"]), most)
        columns.append(
            Column(
                day=day["day"],
                calls=day["calls"],
                errors=day["errors"],
                x=round(number * step + step * 0.15, 1),
                width=round(step * 0.7, 1),
                good=(round(HEIGHT - whole + failed, 1), round(max(0.0, whole - failed), 1)),
                bad=(round(HEIGHT - whole, 1), round(failed, 1)),
            )
        )
    return Plot(columns, most)


def _high(count: int, most: int) -> float:
    return max(1.0, HEIGHT * count / most) if count else 0.0
