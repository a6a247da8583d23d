"""Pages of the images of a dataset of a million, over REST and in the portal.

Rows are made by the database itself, in one revision. Narrowed by class, split, size, date and name: by what is frequent,
rare, at the far end, and not there. The number of statements is counted inside a process of the portal. Bars: p95 150 ms,
and as many statements for a page of one as for one of a hundred.
"""

import html
import re
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import BenchmarkPortal, portal, timed

#: Pages turned before the deep one.
DEPTH = 40
NARROWED = {
    "of a class": "class_id=7",
    "of a split": "split=val",
    "of large pictures": "size=large",
    "of sides that none has": "min_side=9000",
    "with warnings": "defect=warned",
    "of today": "since={today}",
    "of no day": "until=2020-01-01",
    "of one name": "search=00000011.jpg",
    "of the names of ten thousand": "search=0001",
    "of the folder at the end": "search=images/val/",
    "of the folder at the beginning": "search=images/train/",
    "of no name": "search=nothing-like-it",
    "of a name and a class": "search=0000&class_id=7",
    "of four filters": "split=val&size=large&class_id=7&labelled=true",
}
NEXT = re.compile(r'rel="next" href="\?([^"]*)"')


def measure(
    figures: Figures, door: str, entries: int, rounds: int, asked: dict[str, str], ask: Callable[[str], float]
) -> None:
    for label, query in asked.items():
        ask(query)
        seconds = [ask(query) for _ in range(rounds)]
        p95 = percentile(seconds, 0.95) * 1000
        figures.row(door=door, page=label, median_ms=round(median(seconds) * 1000, 1), p95_ms=round(p95, 1))
        figures.bar(f"p95 in ms, {door}, page {label}, {entries:,} images", p95, high=150)


def over_rest(figures: Figures, beside: BenchmarkPortal, dataset: str, asked: "Asked") -> None:
    name = f"datasets/{dataset}/images"

    def get(query: str) -> tuple[float, str | None]:
        address = f"{beside.url}/api/v1/{name}?{query}"
        seconds, answer = timed(
            lambda: beside.http.get(address, headers={"Authorization": f"Bearer {beside.token}"}, timeout=120)
        )
        answer.raise_for_status()
        return seconds, answer.json()["next"]

    query = "page_size=200"
    for _page in range(DEPTH):
        if (link := get(query)[1]) is None:
            break
        query = urlsplit(link).query
    deep = query.replace("page_size=200", "page_size=50")
    measure(figures, "REST", asked.entries, asked.rounds, asked.pages(deep), lambda query: get(query)[0])
    one, hundred = beside.django("statements", name, "1", "100")
    figures.row(statements_1_image=one, statements_100_images=hundred)
    figures.bar("more statements for 100 images than for 1", hundred - one, high=0)


def in_the_portal(figures: Figures, beside: BenchmarkPortal, dataset: str, asked: "Asked") -> None:
    cookies = {"Cookie": f"sessionid={beside.django('session')}"}

    def get(query: str) -> tuple[float, str]:
        address = f"{beside.url}/datasets/{dataset}/?{query}"
        seconds, answer = timed(lambda: beside.http.get(address, headers=cookies, timeout=120))
        if answer.status_code != 200:
            raise RuntimeError(f"{address}: {answer.status_code}")
        return seconds, answer.text

    query = ""
    for _page in range(DEPTH):
        if (link := NEXT.search(get(query)[1])) is None:
            break
        query = html.unescape(link[1])
    measure(figures, "portal", asked.entries, asked.rounds, asked.pages(query), lambda query: get(query)[0])


class Asked:
    def __init__(self, entries: int, rounds: int, today: str) -> None:
        self.entries, self.rounds, self.today = entries, rounds, today

    def pages(self, deep: str) -> dict[str, str]:
        """Label → query."""
        narrowed = {label: query.format(today=self.today) for label, query in NARROWED.items()}
        return {"first": "", "deep": deep, **narrowed}


def main() -> int:
    wanted = arguments(__doc__, entries=1_000_000, rounds=20)
    figures = Figures("grid")
    with portal() as beside:
        seconds, dataset = timed(lambda: beside.django("grid", str(wanted.entries), module="dataset_rows"))
        figures.say(f"  {wanted.entries:,} images made in {seconds:.1f} s")
        ((today,),) = beside.rows("SELECT current_date::text")
        asked = Asked(wanted.entries, wanted.rounds, str(today))
        over_rest(figures, beside, dataset, asked)
        in_the_portal(figures, beside, dataset, asked)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
