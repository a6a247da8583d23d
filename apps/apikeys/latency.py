"""How long answers take, as a histogram whose steps grow by a quarter: percentiles of sums stay within an eighth."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

#: Upper ends of the steps in milliseconds, from 1 to about 14,000; one step more holds what took longer.
ENDS = tuple(1.25**step for step in range(44))
STEPS = len(ENDS) + 1


def step_of(milliseconds: float) -> int:
    return bisect_left(ENDS, milliseconds)


def added(histograms: Iterable[Sequence[int]]) -> list[int]:
    total = [0] * STEPS
    for histogram in histograms:
        for step, count in enumerate(histogram):
            total[step] += count
    return total


def percentile(histogram: Sequence[int], share: float) -> float | None:
    """Milliseconds below which this share of the answers stayed, read linearly inside a step; None without answers."""
    count = sum(histogram)
    if not count:
        return None
    wanted, seen = share * count, 0
    for step, found in enumerate(histogram):
        if found and seen + found >= wanted:
            low = ENDS[step - 1] if step else 0.0
            high = ENDS[step] if step < len(ENDS) else low * 1.25
            return low + (high - low) * (wanted - seen) / found
        seen += found
    return ENDS[-1]
