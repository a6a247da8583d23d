"""List pages with many rows: the first page, a page deep in the list, and filtered ones, over REST and in the portal.

Rows are made in one organization by the database itself. The number of statements is counted inside a process of the
portal, for pages of one row and of a hundred. Bars: p95 of 100 ms, and the same number of statements for both.
"""

import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import TRAININGS_PER_PROJECT, BenchmarkPortal, portal, timed

#: Pages turned before the deep one.
DEPTH = 40
ASKED = {
    "projects": ("search=bench 77",),
    "training-jobs": ("state=failed",),
    "audit-logs": ("action=project.created",),
}
#: As those who manage the organization read it: filtered by what is frequent, by what is rare, and by a word.
MANAGED = {
    "audit-logs/organization": (
        "action=project.created",
        "action=account.token_issued",
        "q=bench",
        "after=2026-01-01T00:00:00Z",
    ),
    "organizations/{organization}/members": ("search=bench 77", "search=nobody", "state=pending", "role=manager"),
}
OWN = {"audit-logs/me": ("action=project.created",)}
#: The portal's pages, for a manager.
PAGES = {
    "/audit/organization/": ("action=project.created", "q=bench"),
    "/organization/members/": ("q=bench 77", "q=nobody"),
    "/organization/": (),
    "/projects/": (),
}
NEXT = re.compile(r'rel="next" href="\?([^"]*)"')


def get(beside: BenchmarkPortal, path: str, token: str = "") -> tuple[float, Any]:
    headers = {"Authorization": f"Bearer {token or beside.token}"}
    seconds, answer = timed(lambda: beside.http.get(f"{beside.url}/api/v1/{path}", headers=headers))
    answer.raise_for_status()
    return seconds, answer.json()


def deep(beside: BenchmarkPortal, name: str, token: str = "") -> str:
    """The path of a page far from the first, or of the last one."""
    path = f"{name}?page_size=200"
    for _page in range(DEPTH):
        if (link := get(beside, path, token)[1]["next"]) is None:
            break
        path = f"{name}?{urlsplit(link).query}"
    return path.replace("page_size=200", "page_size=50")


def measure(figures: Figures, name: str, rows: int, rounds: int, pages: dict[str, Callable[[], float]]) -> None:
    """`pages`: what is asked for → the seconds that it takes once."""
    for label, ask in pages.items():
        ask()
        seconds = [ask() for _ in range(rounds)]
        p95 = percentile(seconds, 0.95) * 1000
        figures.row(list=name, rows=rows, page=label, median_ms=round(median(seconds) * 1000, 1), p95_ms=round(p95, 1))
        figures.bar(f"p95 in ms, {label} page of {name} with {rows:,} rows", p95, high=100)


def measure_rest(
    figures: Figures,
    beside: BenchmarkPortal,
    name: str,
    rows: int,
    rounds: int,
    filters: tuple[str, ...],
    token: str = "",
) -> None:
    statements = beside.django("statements", name, "1", "100")
    paths = {"first": name, "deep": deep(beside, name, token)}
    paths |= {f"filtered by {asked}" if len(filters) > 1 else "filtered": f"{name}?{asked}" for asked in filters}
    shown = re.sub(r"[0-9a-f-]{36}", "…", name)
    pages = {label: lambda path=path: get(beside, path, token)[0] for label, path in paths.items()}  # type: ignore[misc]
    measure(figures, shown, rows, rounds, pages)
    figures.row(list=shown, statements_1_row=statements[0], statements_100_rows=statements[1])
    figures.bar(f"more statements for 100 rows than for 1, {shown}", statements[1] - statements[0], high=0)


def measure_page(
    figures: Figures, beside: BenchmarkPortal, path: str, rows: int, rounds: int, filters: tuple[str, ...], key: str
) -> None:
    def ask(asked: str) -> tuple[float, str]:
        cookies = {"Cookie": f"sessionid={key}"}
        seconds, answer = timed(lambda: beside.http.get(f"{beside.url}{path}?{asked}", headers=cookies))
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
        return seconds, answer.text

    asked = {"first": ""}
    query = ""
    for _page in range(DEPTH):
        if (link := NEXT.search(ask(query)[1])) is None:
            break
        query = link[1].replace("&amp;", "&")
    if query:
        asked["deep"] = query
    asked |= {f"filtered by {found}": found for found in filters}
    pages = {label: lambda found=found: ask(found)[0] for label, found in asked.items()}  # type: ignore[misc]
    measure(figures, f"page {path}", rows, rounds, pages)


def main() -> int:
    asked = arguments(__doc__, rows=100_000, events=1_000_000, members=100_000, rounds=40)
    figures = Figures("lists")
    with portal() as beside:
        organization = beside.django("fill", str(asked.rows), str(asked.events), str(asked.members))

        def count(name: str) -> int:
            if "projects" in name:
                return asked.rows // TRAININGS_PER_PROJECT
            return asked.events if "audit" in name else asked.members if "organization" in name else asked.rows

        for name, filters in ASKED.items():
            measure_rest(figures, beside, name, count(name), asked.rounds, filters)
        manager = beside.django("manager")
        for name, filters in MANAGED.items():
            path = name.format(organization=organization)
            measure_rest(figures, beside, path, count(name), asked.rounds, filters, manager)
        for name, filters in OWN.items():
            measure_rest(figures, beside, name, count(name), asked.rounds, filters)
        key = beside.django("session")
        for path, filters in PAGES.items():
            measure_page(figures, beside, path, count(path), asked.rounds, filters, key)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
