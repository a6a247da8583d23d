"""The chart endpoint: 100 series of 10,000 steps at once, and one series of a million.

Bars: the 100 series within 300 ms and 1 MB, with no peak lost. Beside it, in the same run: one series as the monitor
page asks for it.
"""

import json
from typing import Any
from urllib.parse import quote

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import BenchmarkPortal, portal, timed, until

SERIES, STEPS = 100, 10_000
LONG = 1_000_000
#: A chart in a grid of a hundred is a few hundred pixels wide.
POINTS = 200

INSERT = """
WITH made AS (
    INSERT INTO metrics_series (job_id, name, scope, count, last_step, last_value, min_value, max_value)
    SELECT %(job)s, replace(%(name)s, '#', number::text), 'batch', %(steps)s, %(steps)s, 0, -2, 5
    FROM generate_series(1, %(series)s) AS number RETURNING id
)
INSERT INTO metrics_point (series_id, attempt_no, step, epoch, "time", value)
SELECT id, 1, step, step / 100.0, 1790000000 + step, CASE WHEN step = %(peak)s THEN 5 ELSE sin(step / 50.0) END
FROM made, generate_series(1, %(steps)s) AS step
"""
PEAK = 7_777
#: The portal rolls up by itself, every 15 s.
ROLLUP_SECONDS = 60.0


def fill(beside: BenchmarkPortal, job: str, *, name: str, series: int, steps: int) -> None:
    """Series named by `name` (`#` is their number) with one value far above all others."""
    values = {"job": job, "name": name, "series": series, "steps": steps, "peak": PEAK}
    beside.execute(INSERT, values)
    beside.execute("ANALYZE metrics_point")
    done = "SELECT FROM metrics_rollup JOIN metrics_series ON id = series_id WHERE job_id = %s LIMIT 1"
    until(lambda: beside.rows(done, job), "the portal's rollups of the points", ROLLUP_SECONDS)


def ask(beside: BenchmarkPortal, job: str, names: list[str], points: int) -> tuple[float, bytes]:
    url = f"{beside.url}/api/v1/training-jobs/{job}/metrics?points={points}&name={quote(','.join(names))}"
    seconds, answer = timed(lambda: beside.http.get(url, headers={"Authorization": f"Bearer {beside.token}"}))
    answer.raise_for_status()
    return seconds, answer.content


def check_peaks(content: bytes, count: int) -> None:
    series: list[dict[str, Any]] = json.loads(content)["series"]
    if len(series) != count or any(max(point[3] for point in item["points"]) != 5 for item in series):
        raise RuntimeError("a series or its peak is missing")


def measure(
    figures: Figures, beside: BenchmarkPortal, job: str, label: str, names: list[str], points: int, rounds: int
) -> float:
    """Asks `rounds` times after one that warms up; the median in milliseconds."""
    ask(beside, job, names, points)
    answers = [ask(beside, job, names, points) for _ in range(rounds)]
    seconds = [found for found, _content in answers]
    content = answers[-1][1]
    check_peaks(content, len(names))
    figures.row(
        chart=label,
        points_per_series=points,
        median_ms=round(median(seconds) * 1000),
        p95_ms=round(percentile(seconds, 0.95) * 1000),
        mb=round(len(content) / 1e6, 3),
    )
    figures.bar(f"MB of {label}", len(content) / 1e6, high=1)
    return median(seconds) * 1000


def main() -> int:
    asked = arguments(__doc__, rounds=11)
    figures = Figures("chart")
    with portal() as beside:
        found = beside.django("attempts", "2")
        many, one = found[0]["job"], found[1]["job"]
        fill(beside, many, name="train/value_#", series=SERIES, steps=STEPS)
        fill(beside, one, name="train/long_#", series=1, steps=LONG)
        names = [f"train/value_{number}" for number in range(1, SERIES + 1)]
        label = f"{SERIES} series of {STEPS:,} steps"
        whole = measure(figures, beside, many, label, names, POINTS, asked.rounds)
        figures.bar(f"ms for {label}", whole, high=300)
        single = measure(figures, beside, many, f"1 series of {STEPS:,} steps", names[:1], 1000, asked.rounds)
        long = measure(figures, beside, one, f"1 series of {LONG:,} steps", ["train/long_1"], 1000, asked.rounds)
        figures.ratio(f"{label} to one of them", whole / single)
        figures.ratio(f"1 series of {LONG:,} steps to one of {STEPS:,}", long / single)
    return figures.finish()


if __name__ == "__main__":
    raise SystemExit(main())
