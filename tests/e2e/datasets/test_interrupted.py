"""An upload whose page is loaded anew in the middle: what has arrived is not sent again, and the set is whole."""

import hashlib
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Response, Route, expect

from apps.datasets.samples import sample_archive
from tests.e2e.datasets.archives import members
from tests.e2e.datasets.shelf import Shelf
from tests.e2e.visitors import Window

pytestmark = pytest.mark.e2e

FOLDER = "[data-upload-files][webkitdirectory]"
#: More than four parts of 4 MiB.
SIDE = 2400
LARGE = "belt/images/train/large.png"
LATE = {"belt/labels/train/train-0001.txt", "belt/labels/val/val-0000.txt"}
UPLOADS = re.compile(r"/uploads$")


@dataclass
class Traffic:
    """What the page sends into uploads, and what of it arrives. `hold` says which of it never gets there."""

    page: Page
    files: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    arrived: set[str | int] = field(default_factory=set)
    opened: int = 0
    removed: int = 0
    held: Callable[[str | int], bool] | None = None

    def __post_init__(self) -> None:
        self.page.on("request", self._sent)
        self.page.on("response", self._answered)

    def hold(self, held: Callable[[str | int], bool]) -> None:
        """From here on. What was held stays so: a route taken away would let it go."""
        if self.held is None:
            self.page.route("**/uploads/*/*", self._decide)
        self.held = held

    def _decide(self, route: Route) -> None:
        if (sent := named(route.request)) is None or self.held is None or not self.held(sent):
            route.continue_()

    def forget(self) -> None:
        """From here on nothing is held, and all is counted anew."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.held = None
        self.files, self.parts, self.arrived, self.opened, self.removed = [], [], set(), 0, 0

    def wait(self, done: Callable[[], bool]) -> None:
        for _time in range(1200):
            if done():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(self)

    def _sent(self, made: Request) -> None:
        if isinstance(sent := named(made), int):
            self.parts.append(sent)
        elif sent is not None:
            self.files.append(sent)
        self.opened += made.method == "POST" and bool(UPLOADS.search(made.url))
        self.removed += made.method == "DELETE"

    def _answered(self, answer: Response) -> None:
        if answer.ok and (sent := named(answer.request)) is not None:
            self.arrived.add(sent)


def named(made: Request) -> str | int | None:
    """The path of the file, or the number of the part, that the request sends."""
    place = urlsplit(made.url)
    query = parse_qs(place.query)
    if made.method != "PUT":
        return None
    return int(query["number"][0]) if place.path.endswith("/parts") else query["path"][0]


@pytest.fixture
def belt(tmp_path: Path) -> Path:
    """A YOLO set in a folder, with one picture that goes in parts."""
    picture = io.BytesIO()
    noise = random.Random(7).randbytes(SIDE * SIDE * 3)
    Image.frombytes("RGB", (SIDE, SIDE), noise).save(picture, "PNG", compress_level=0)
    files = {
        **members(sample_archive(train=4, val=2)),
        LARGE.removeprefix("belt/"): picture.getvalue(),
        "labels/train/large.txt": b"0 0.5 0.5 0.25 0.25\n",
    }
    for path, content in files.items():
        target = tmp_path / "belt" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return tmp_path / "belt"


def paths_of(belt: Path) -> set[str]:
    return {path.relative_to(belt.parent).as_posix() for path in belt.rglob("*") if path.is_file()}


def test_after_a_reload_in_the_middle_only_the_rest_is_sent(
    shelf: Shelf, engineer: Window, language: str, belt: Path
) -> None:
    page, traffic = engineer.page, Traffic(engineer.page)
    dataset = _upload_page(shelf, engineer, {"en": "Sent twice", "ko": "두 번 보낸 데이터"}[language])
    traffic.hold(lambda sent: sent in LATE or (isinstance(sent, int) and sent > 2))
    page.set_input_files(FOLDER, str(belt))
    here = paths_of(belt) - LATE - {LARGE}
    traffic.wait(lambda: traffic.arrived == {*here, 1, 2} and LATE <= set(traffic.files))

    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("h1").click()
    page.reload()
    assert asked == ["beforeunload"]
    traffic.forget()
    notice = page.locator("[data-upload-open]")
    expect(notice).to_contain_text(str(len(here)))
    expect(notice.locator("[data-upload-open-note]")).to_contain_text("belt")
    engineer.fits()
    upload = notice.get_attribute("data-upload-open")

    page.set_input_files(FOLDER, str(belt))
    page.wait_for_url(f"**/uploads/{upload}/")
    assert sorted(traffic.files) == sorted(LATE)
    assert sorted(traffic.parts) == [3, 4, 5]
    assert (traffic.opened, traffic.removed) == (0, 0)
    _is_whole(shelf, engineer, dataset, belt)


def test_a_file_that_failed_is_sent_again_alone_and_a_cancelled_upload_is_gone(
    shelf: Shelf, engineer: Window, language: str, belt: Path
) -> None:
    page, traffic = engineer.page, Traffic(engineer.page)
    dataset = _upload_page(shelf, engineer, {"en": "Given up", "ko": "그만둔 데이터"}[language])
    failing, held = sorted(LATE)
    traffic.hold(lambda sent: sent in (failing, held) or isinstance(sent, int))
    refuse = re.compile(rf"files\?path=.*{failing.rpartition('/')[2]}$")
    page.route(refuse, lambda route: route.fulfill(status=400, json={"detail": "Not this one.", "code": "no"}))
    page.set_input_files(FOLDER, str(belt))
    row = page.locator("[data-upload-list] li", has_text=failing)
    expect(row).to_contain_text("Not this one.")
    engineer.refused(400)
    engineer.fits()
    page.unroute(refuse)
    traffic.hold(lambda sent: sent == held or isinstance(sent, int))
    row.locator("button").click()
    traffic.wait(lambda: failing in traffic.arrived)
    assert traffic.files.count(failing) == 2
    expect(row.locator("button")).to_have_count(0)

    page.click("[data-upload-cancel]")
    engineer.agree()
    expect(page.locator("[data-upload-status]")).to_be_hidden()
    (upload,) = shelf.http.get(f"{dataset}uploads?limit=1").raise_for_status().json()["results"][:1]
    assert upload["state"] == "cancelled"
    page.reload()
    expect(page.locator("[data-upload-open]")).to_have_count(0)


def test_another_set_is_not_mixed_into_the_open_upload(
    shelf: Shelf, engineer: Window, language: str, belt: Path, tmp_path: Path
) -> None:
    page, traffic = engineer.page, Traffic(engineer.page)
    _upload_page(shelf, engineer, {"en": "Begun anew", "ko": "새로 시작한 데이터"}[language])
    traffic.hold(lambda sent: sent in LATE or isinstance(sent, int))
    page.set_input_files(FOLDER, str(belt))
    here = paths_of(belt) - LATE - {LARGE}
    traffic.wait(lambda: traffic.arrived == here)
    page.reload()
    traffic.forget()
    first = page.locator("[data-upload-open]").get_attribute("data-upload-open")
    other = tmp_path / "other.zip"
    other.write_bytes(sample_archive(train=2, val=1))
    page.set_input_files("[data-upload-files] >> nth=0", str(other))
    expect(page.locator("[data-upload-open-note]")).to_contain_text(str(len(here)))
    engineer.fits()
    assert (traffic.files, traffic.opened) == ([], 0)
    page.click("[data-upload-give-up]")
    engineer.agree()
    page.wait_for_url("**/uploads/*/")
    assert (traffic.files, traffic.opened, traffic.removed) == (["other.zip"], 1, 1)
    assert first not in page.url


def _upload_page(shelf: Shelf, engineer: Window, name: str) -> str:
    dataset = shelf.dataset(name, sample_archive(train=2, val=1))
    engineer.go(f"{dataset}upload/")
    return dataset


def _is_whole(shelf: Shelf, engineer: Window, dataset: str, belt: Path) -> None:
    """Published, it holds every byte of the folder."""
    page = engineer.page
    page.locator("#report [data-state=ready]").wait_for()
    engineer.sees_pictures("#report")
    engineer.submit("form[action$='/publish/']")
    page.locator("#report [data-state=published]").wait_for()
    lines = shelf.http.get(f"{dataset}download?manifest").raise_for_status().text.splitlines()
    there = {path: digest for digest, path in (line.split("  ", 1) for line in lines)}
    for path in paths_of(belt):
        assert there[path] == hashlib.sha256((belt.parent / path).read_bytes()).hexdigest(), path
