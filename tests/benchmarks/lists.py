"""List pages with many rows: the first page, a page deep in the list, and a filtered one, over REST.

Rows are made in one organization by the database itself. The number of statements is counted inside a process of the
portal, for pages of one row and of a hundred. Bars: p95 of 100 ms, and the same number of statements for both.
"""

import sys
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import BenchmarkPortal, portal, timed

#: Pages turned before the deep one.
DEPTH = 40
#: The organization's log, as its managers read it: filtered by what is frequent, by what is rare, and by a word.
AUDIT = {
    "audit-logs/organization": (
        "action=project.created",
        "action=account.token_issued",
        "q=bench",
        "after=2026-01-01T00:00:00Z",
    ),
    "audit-logs/me": ("action=project.created",),
}
ASKED = {
    "projects": "search=bench 77",
    "training-jobs": "state=failed",
    "audit-logs": "action=project.created",
}


def get(beside: BenchmarkPortal, path: str, token: str = "") -> tuple[float, Any]:
    headers = {"Authorization": f"Bearer {token or beside.token}"}
    seconds, answer = timed(lambda: beside.http.get(f"{beside.url}/api/v1/{path}", headers=headers))
    answer.raise_for_status()
    return seconds, answer.json()


def deep(beside: BenchmarkPortal, name: str, token: str = "") -> str:
    """The path of a page far from the first."""
    path = f"{name}?page_size=200"
    for _page in range(DEPTH):
        link = urlsplit(get(beside, path, token)[1]["next"])
        path = f"{name}?{link.query}"
    return path.replace("page_size=200", "page_size=50")


def measure(
    figures: Figures,
    beside: BenchmarkPortal,
    name: str,
    rows: int,
    rounds: int,
    filters: tuple[str, ...],
    token: str = "",
) -> None:
    statements = beside.django("statements", name, "1", "100")
    pages = {"first": name, "deep": deep(beside, name, token)}
    pages |= {f"filtered by {asked}" if len(filters) > 1 else "filtered": f"{name}?{asked}" for asked in filters}
    for label, path in pages.items():
        get(beside, path, token)
        seconds = [get(beside, path, token)[0] for _ in range(rounds)]
        p95 = percentile(seconds, 0.95) * 1000
        figures.row(list=name, rows=rows, page=label, median_ms=round(median(seconds) * 1000, 1), p95_ms=round(p95, 1))
        figures.bar(f"p95 in ms, {label} page of {name} with {rows:,} rows", p95, high=100)
    figures.row(list=name, statements_1_row=statements[0], statements_100_rows=statements[1])
    figures.bar(f"more statements for 100 rows than for 1, {name}", statements[1] - statements[0], high=0)


def main() -> int:
    asked = arguments(__doc__, rows=100_000, rounds=40)
    figures = Figures("lists")
    with portal() as beside:
        beside.django("fill", str(asked.rows))
        for name, filtered in ASKED.items():
            measure(figures, beside, name, asked.rows, asked.rounds, (filtered,))
        manager = beside.django("manager")
        for name, filters in AUDIT.items():
            token = manager if "organization" in name else ""
            measure(figures, beside, name, asked.rows, asked.rounds, filters, token)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
