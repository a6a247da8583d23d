"""At most 1,000 points of a batch series, spread over its whole length, though its length is not known beforehand."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.experiments import thinning
from apps.experiments.thinning import LIMIT, WHOLE, Series, TopUp


def chosen_over(ends: list[int]) -> list[int]:
    """Indices sent for a run that ends (and goes on) after so many points."""
    series, sent = Series(), []
    for end in ends:
        sent += [index for index in range(series.seen, end) if series.take_live()]
        top_up = TopUp(series)
        if top_up.is_needed:
            sent += [index for index in range(end) if top_up.take()]
        series = top_up.close()
        assert series.sent == len(sent)
        # What is stored is all that the next delivery knows.
        series = thinning.load(thinning.store({"loss": series}))["loss"]
    return sorted(sent)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=3))
def test_no_more_than_the_limit_and_each_point_once(steps: list[int]) -> None:
    sent = chosen_over(sorted(steps))
    assert len(sent) <= LIMIT
    assert len(set(sent)) == len(sent)


@pytest.mark.parametrize("count", [0, 1, 64, 65, 500, 1000])
def test_a_short_series_arrives_whole(count: int) -> None:
    assert chosen_over([count]) == list(range(count))


def test_a_long_series_is_spread_evenly_and_fills_the_limit() -> None:
    sent = chosen_over([100_000])
    assert len(sent) == LIMIT
    gaps = [after - before for before, after in pairwise([*sent, 100_000])]
    room = LIMIT - sum(1 for index in sent if thinning.chosen_live(index))
    assert max(gaps) <= 100_000 / room + 2


def test_the_curve_is_there_while_the_run_goes_on() -> None:
    series = Series()
    sent = [index for index in range(10_000) if series.take_live()]
    assert sent[:WHOLE] == list(range(WHOLE))
    # From each doubling the same number, the last one included.
    for start in (64, 128, 1024, 4096):
        assert len([index for index in sent if start <= index < 2 * start]) == 32


def test_ten_to_the_ninth_points_leave_room_for_the_end() -> None:
    assert Series(seen=10**9).passed_over > 10**9 - LIMIT
