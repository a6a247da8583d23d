"""Numbers that a benchmark prints and keeps: rows of a table, ratios against a peer, and the bars they are held to."""

import argparse
import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Where a run leaves its figures when the caller names no other place.
RESULT = "MODELYARD_BENCHMARK_RESULT"


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; linear between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: list[float]) -> float:
    return statistics.median(values)


@dataclass(slots=True)
class Bar:
    """A figure that must be at least (`low`) or at most (`high`) something."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    @property
    def held(self) -> bool:
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    def __str__(self) -> str:
        wanted = f"≥ {self.low:g}" if self.low is not None else f"≤ {self.high:g}"
        return f"{'held  ' if self.held else 'MISSED'} {self.name}: {self.value:.4g} ({wanted})"


@dataclass
class Figures:
    """What one run of a benchmark found. `say` prints as it goes; `finish` prints the bars and writes the file."""

    benchmark: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    load_before: tuple[float, float, float] = field(default_factory=os.getloadavg)

    def __post_init__(self) -> None:
        self.say(f"{self.benchmark}: {machine()}, load average {self.load_before[0]:.1f} before the start")

    def say(self, text: str) -> None:
        print(text, flush=True)

    def row(self, **cells: Any) -> None:
        self.rows.append(cells)
        shown = [
            f"{name} {value:,.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in cells.items()
        ]
        self.say("  " + " · ".join(shown))

    def ratio(self, name: str, value: float) -> None:
        self.ratios[name] = round(value, 3)

    def bar(self, name: str, value: float, *, low: float | None = None, high: float | None = None) -> None:
        self.bars.append(Bar(name, round(value, 4), low, high))

    def finish(self) -> int:
        """Prints and writes what was found; the exit status (0: every bar is held)."""
        for bar in self.bars:
            self.say(str(bar))
        if target := os.environ.get(RESULT):
            found = {
                "benchmark": self.benchmark,
                "machine": machine(),
                "load_average": {"before": self.load_before[0], "after": os.getloadavg()[0]},
                "ratios": self.ratios,
                "bars": [{**asdict(bar), "held": bar.held} for bar in self.bars],
                "rows": self.rows,
            }
            Path(target).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0 if all(bar.held for bar in self.bars) else 1


def machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    python = platform.python_version()
    return f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.machine()}, Python {python}"


def arguments(description: str | None, **numbers: int) -> argparse.Namespace:
    """The command line of a benchmark: whole numbers with their defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    return parser.parse_args()
