"""A dataset of many entries: comparing two revisions, fixing a snapshot, adding one file, a page of its images.

Everything is asked over REST of a running portal. The revisions that are compared differ in each hundredth image, and in
every one. Bars at 100,000 entries: comparison 2 s, snapshot 1 s, one file from the opened upload to the published
revision 1 s, page of images p95 150 ms once the worker has counted the statistics, and what it takes meanwhile beside
it; a check finds 25 of 25 damaged files and no other.
"""

import io
import sys
import time
from typing import Any

from PIL import Image

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import BenchmarkPortal, portal, timed, until

#: Pages of images by what they are narrowed to: what is frequent, what is rare, what is not there, and all at once.
PAGES = {
    "first": "",
    "of a class": "class_id=7",
    "of a split": "split=val",
    "of large pictures": "size=large",
    "with sides that none has": "min_side=9000",
    "with warnings": "defect=warned",
    "of one day and one class": "since=2020-01-01&class_id=7",
    "of one name": "search=00000011.jpg",
    "of no name": "search=nothing-like-it",
    "of four filters": "split=val&size=large&class_id=7&labelled=true",
}


class Client:
    def __init__(self, beside: BenchmarkPortal, dataset: str) -> None:
        self.beside, self.dataset = beside, dataset
        self.headers = {"Authorization": f"Bearer {beside.token}"}

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.beside.http.request(
            method, f"{self.beside.url}/api/v1/{path}", headers=self.headers, timeout=120, **options
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def own(self, method: str, path: str, **options: Any) -> Any:
        return self.ask(method, f"datasets/{self.dataset}/{path}", **options)


def compare(figures: Figures, client: Client, rounds: int, entries: int) -> None:
    for label, before, after in (("1 % differs", "r1", "r2"), ("everything differs", "r1", "r3")):
        asked = f"dataset_id={client.dataset}&before={before}&after={after}"
        counts, pages, deep = [], [], []
        for _round in range(rounds):
            seconds, found = timed(lambda asked=asked: client.ask("GET", f"datasets/compare?{asked}"))
            counts.append(seconds)
            seconds, page = timed(lambda asked=asked: client.ask("GET", f"datasets/compare/images?{asked}"))
            pages.append(seconds)
            last = page["next"]
            seconds, _page = timed(
                lambda asked=asked, last=last: client.ask("GET", f"datasets/compare/images?{asked}&cursor={last}")
            )
            deep.append(seconds)
        differing = sum(found["images"].values())
        whole = median(counts) + median(pages)
        figures.row(
            compared=label,
            images_that_differ=differing,
            counts_s=round(median(counts), 3),
            first_page_s=round(median(pages), 3),
            next_page_s=round(median(deep), 3),
        )
        figures.bar(f"s to compare two revisions of {entries:,} entries, {label}", whole, high=2)


def add_one(client: Client, number: int) -> float:
    """Seconds from opening an upload of one picture with its label to the published revision."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (number % 256, 80, 160)).save(picture, "PNG")
    began = time.perf_counter()
    upload = f"uploads/{client.own('POST', 'uploads', json={})['id']}"
    name = f"added-{number}"
    client.own("PUT", f"{upload}/files?path=images/train/{name}.png", content=picture.getvalue())
    client.own("PUT", f"{upload}/files?path=labels/train/{name}.txt", content=b"0 0.5 0.5 0.5 0.5\n")
    for act, state in (("analyze", "ready"), ("publish", "published")):
        client.own("POST", f"{upload}/{act}", json={})
        until(lambda state=state: client.own("GET", upload)["state"] == state, state, 60)
    return time.perf_counter() - began


def snapshots(figures: Figures, client: Client, rounds: int, entries: int) -> None:
    first, _made = timed(lambda: client.own("POST", "snapshots", json={}))
    added, again = [], []
    for number in range(rounds):
        added.append(add_one(client, number))
        seconds, _made = timed(lambda: client.own("POST", "snapshots", json={}))
        again.append(seconds)
    figures.row(
        first_snapshot_s=round(first, 3),
        snapshot_after_one_file_s=round(median(again), 3),
        one_file_added_s=round(median(added), 3),
        slowest_s=round(max(added), 3),
    )
    figures.bar(f"s for a snapshot of {entries:,} entries, all of them new", first, high=1)
    figures.bar(f"s for a snapshot of {entries:,} entries after one file", median(again), high=1)
    figures.bar(f"s to add one file to {entries:,}", median(added), high=1)


def pages(figures: Figures, client: Client, rounds: int, entries: int) -> None:
    busy = [timed(lambda: client.own("GET", "images"))[0] for _ in range(rounds)]
    # What a worker does on the same two cores after each publication; people look at pages for longer than that.
    until(lambda: client.own("GET", "statistics")["is_ready"], "statistics of the newest version", 300)
    figures.row(
        page="first, while a worker counts what was just published",
        median_ms=round(median(busy) * 1000, 1),
        p95_ms=round(percentile(busy, 0.95) * 1000, 1),
    )
    for label, query in PAGES.items():
        client.own("GET", f"images?{query}")
        seconds = [timed(lambda query=query: client.own("GET", f"images?{query}"))[0] for _ in range(rounds)]
        p95 = percentile(seconds, 0.95) * 1000
        figures.row(page=label, median_ms=round(median(seconds) * 1000, 1), p95_ms=round(p95, 1))
        figures.bar(f"p95 in ms, page of images {label}, {entries:,} entries", p95, high=150)


def download(figures: Figures, client: Client) -> None:
    """The whole newest version as a ZIP, whose bytes are counted and thrown away."""
    began, size = time.perf_counter(), 0
    address = f"{client.beside.url}/api/v1/datasets/{client.dataset}/download"
    with client.beside.http.stream("GET", address, headers=client.headers, timeout=600) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            size += len(chunk)
    seconds = time.perf_counter() - began
    files = client.own("POST", "download", json={})["files"]
    figures.row(
        downloaded_files=files, mb=round(size / 1e6, 1), seconds=round(seconds, 2), files_per_s=round(files / seconds)
    )
    figures.bar(
        "bytes that a download lacks of its announced length", int(answer.headers["Content-Length"]) - size, high=0
    )


def integrity(figures: Figures, client: Client, entries: int) -> None:
    """A check after 20 files were changed and 5 removed behind the portal's back."""
    done = client.beside.django("damage", client.dataset, "20", "5", module="dataset_rows")
    began = time.perf_counter()
    client.own("POST", "integrity")
    until(lambda: client.own("GET", "integrity")["check"]["state"] not in ("waiting", "running"), "the check", 600)
    seconds = time.perf_counter() - began
    found = client.own("GET", "integrity?page_size=200")
    told = {row["sha256"]: row["damage"] for row in found["results"]}
    read = found["check"]["done_count"]
    figures.row(files_checked=read, seconds=round(seconds, 2), files_per_s=round(read / seconds))
    right = sum(told.get(sha256) == damage for sha256, damage in done.items())
    figures.bar(f"damaged files found of 25 among {entries:,}", right, low=25)
    figures.bar("false alarms", len(told.keys() - done.keys()), high=0)


def main() -> int:
    asked = arguments(__doc__, entries=100_000, rounds=5)
    figures = Figures("datasets")
    with portal() as beside:
        seconds, dataset = timed(lambda: beside.django("fill", str(asked.entries), module="dataset_rows"))
        figures.say(f"  three revisions of {asked.entries:,} entries made in {seconds:.1f} s")
        client = Client(beside, dataset)
        compare(figures, client, asked.rounds, asked.entries)
        snapshots(figures, client, asked.rounds, asked.entries)
        pages(figures, client, asked.rounds * 4, asked.entries)
        download(figures, client)
        integrity(figures, client, asked.entries)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
