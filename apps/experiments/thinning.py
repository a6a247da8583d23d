"""Which points of a batch series MLflow gets: at most 1,000, though their number is not known while they come.

While the run goes on, points are taken by their index alone: the first 64 all, then every 2nd, every 4th and so on,
32 from each doubling, so that a curve is there from the start and 10⁹ points still leave room. When the run ends, what
is left of the thousand is spread evenly over the points that were passed over. Everything follows from the index and
the counts in `Series`, so a repeated delivery chooses the same points.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LIMIT = 1000
WHOLE = 64


@dataclass(slots=True)
class Series:
    """`seen` points came, `sent` were chosen; those before index `topped_up` have had their even share."""

    seen: int = 0
    sent: int = 0
    topped_up: int = 0

    def take_live(self) -> bool:
        """Counts the next point; whether it is sent at once."""
        index = self.seen
        self.seen += 1
        if not chosen_live(index) or self.sent >= LIMIT:
            return False
        self.sent += 1
        return True

    @property
    def passed_over(self) -> int:
        """Points since the last top-up that were not sent at once."""
        return self.seen - self.topped_up - (_live_below(self.seen) - _live_below(self.topped_up))


def chosen_live(index: int) -> bool:
    """Whether the point of this index (from 0) is sent while the run goes on."""
    if index < WHOLE:
        return True
    # Indices WHOLE·2^(k-1) … WHOLE·2^k - 1 keep every 2^k-th.
    return index % (1 << ((index // WHOLE).bit_length())) == 0


def _live_below(count: int) -> int:
    """How many of the indices 0 … count - 1 are chosen live."""
    chosen, start, stride = min(count, WHOLE), WHOLE, 2
    while start < count:
        end = min(count, 2 * start)
        chosen += -(-end // stride) - -(-start // stride)
        start, stride = 2 * start, 2 * stride
    return chosen


class TopUp:
    """Chooses, at a run's end, evenly among the points of one series that were passed over."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._candidates = series.passed_over
        self._room = min(LIMIT - series.sent, self._candidates)
        self._index = 0
        self._passed = 0

    @property
    def is_needed(self) -> bool:
        return self._room > 0

    def take(self) -> bool:
        """Counts the next point of the series, read again from its beginning; whether it is sent now."""
        index = self._index
        self._index += 1
        if not self.is_needed or not self._series.topped_up <= index < self._series.seen or chosen_live(index):
            return False
        before, self._passed = self._passed, self._passed + 1
        # Of each run of candidates/room points the last one.
        return self._passed * self._room // self._candidates > before * self._room // self._candidates

    def close(self) -> Series:
        """The counts after the top-up."""
        return Series(self._series.seen, self._series.sent + self._room, self._series.seen)


def load(stored: Mapping[str, Sequence[int]]) -> defaultdict[str, Series]:
    """The counts of a run's batch series from their stored form; an unknown series begins at nought."""
    return defaultdict(Series, {name: Series(*counts) for name, counts in stored.items()})


def store(series: Mapping[str, Series]) -> dict[str, list[int]]:
    return {name: [counts.seen, counts.sent, counts.topped_up] for name, counts in series.items()}
