"""Pages in a real browser under the strict policy: nothing is refused, curves grow, keys work."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from playwright.sync_api import sync_playwright

from tests.chromium import chromium
from tests.ui.serve import BATCHES, Application, Feed

pytestmark = pytest.mark.e2e


class Portal:
    """The test server in a thread of its own, and the job it plays."""

    def __init__(self, url: str, feed: Feed, loop: asyncio.AbstractEventLoop) -> None:
        self.url, self.feed, self.loop = url, feed, loop

    def train(self, batches: int) -> None:
        """So many batches, reported from the server's own loop; returns when they are."""

        async def work() -> None:
            for _ in range(batches):
                self.feed.step()

        asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)

    def restart(self) -> None:
        """Every socket is closed, as when the portal is started anew."""

        async def work() -> None:
            for queue in self.feed.queues:
                queue.put_nowait({"type": "close"})

        asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)


@pytest.fixture
def portal(catalogues) -> Iterator[Portal]:
    import uvicorn  # import here: only these tests and this program start it

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    feed = Feed()
    server = uvicorn.Server(uvicorn.Config(Application(feed), log_level="warning", lifespan="off"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(sockets=[listener])), daemon=True)
    with override_settings(ROOT_URLCONF="tests.ui.urls", LOCALE_PATHS=[catalogues]):
        thread.start()
        yield Portal(f"http://127.0.0.1:{listener.getsockname()[1]}", feed, loop)
        server.should_exit = True
        server.force_exit = True
        thread.join(20)
    listener.close()


@pytest.fixture
def page(portal):
    """A browser page that keeps what the console said."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright runs a loop in this thread
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "request",
            lambda made: (
                None
                if made.url.startswith((portal.url, "data:", "blob:", portal.url.replace("http", "ws")))
                else page.complaints.append(made.url)
            ),
        )
        yield page
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


POINTS = """name => {
  const box = [...document.querySelectorAll("[data-charts] [data-chart]")].find((one) => one.getAttribute("aria-label") === name);
  const chart = box && window.echarts.getInstanceByDom(box);
  return chart ? chart.getOption().series[0].data.length : 0;
}"""


def wait(page, expression: str, value: object) -> None:
    """Until the expression has this value. Asked from outside: within the page the policy refuses to evaluate text."""
    end = time.monotonic() + 60
    while (now := page.evaluate(expression)) != value:
        assert time.monotonic() < end, f"{expression} is {now!r}, not {value!r}; {page.complaints}"
        page.wait_for_timeout(50)


def test_curves_grow_without_a_reload_and_none_is_lost(page, portal):
    portal.train(2 * BATCHES)
    page.goto(f"{portal.url}/monitor")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    wait(page, f"({POINTS})('Loss')", 2 * BATCHES)
    portal.train(3 * BATCHES)
    wait(page, f"({POINTS})('Loss')", 5 * BATCHES)
    assert page.locator("[data-text]").first.inner_text() == "Epoch 5 of 20"
    portal.restart()
    portal.train(BATCHES)
    wait(page, f"({POINTS})('Loss')", 6 * BATCHES)
    page.wait_for_selector("[data-live-pill][data-state=live]")
    page.reload()
    wait(page, f"({POINTS})('Loss')", 6 * BATCHES)
    page.click("#tab-log")
    page.wait_for_selector(f"#log-{6 * BATCHES}")
    page.fill("[data-log-search]", "WARNING")
    wait(page, "document.querySelector('[data-log-count]').textContent", "1 / 1")
    page.click("[data-action=stop]")
    page.wait_for_selector("#confirm.show [data-confirm-yes].btn-danger")
    assert page.locator("[data-confirm-yes]").inner_text() == "Stop"
    page.click("[data-confirm-yes]")
    page.wait_for_selector("[data-toast-text]:text('It writes its checkpoint.')")
    page.wait_for_selector("[data-badge][data-state=stopped]")
    page.wait_for_selector("[data-action=stop]", state="hidden")
    assert page.complaints == []


CHARTS = """[...document.querySelectorAll("[data-charts] [data-chart], [data-system-charts] [data-chart]")]
  .map((one) => one.getAttribute("aria-label")).join("|")"""
CPU = """(() => {
  const box = document.querySelector("[data-system-charts] [data-chart][aria-label^=Utilisation]");
  const chart = box && window.echarts.getInstanceByDom(box);
  return chart ? JSON.stringify(chart.getOption().series[0].data) : "";
})()"""


def test_a_training_watched_from_its_start_has_the_charts_that_a_reload_shows(page, portal):
    page.goto(f"{portal.url}/monitor")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    for _ in range(2):
        portal.train(BATCHES)
        wait(page, CHARTS, "mAP|Loss|Learning rate|Memory, MB|Utilisation, %")
    page.reload()
    wait(page, CHARTS, "mAP|Loss|Learning rate|Memory, MB|Utilisation, %")
    assert page.complaints == []


def test_what_the_machine_used_is_drawn_over_time_across_attempts(page, portal):
    portal.train(5)
    page.goto(f"{portal.url}/monitor")
    page.wait_for_selector("[data-live-pill][data-state=live]")
    portal.feed.resume()
    portal.train(3)
    page.click("#tab-system")
    for _ in range(2):
        wait(page, f"JSON.parse({CPU} || '[]').length", 5 + 1 + 3)
        times = page.evaluate(f"JSON.parse({CPU}).map(([time]) => time)")
        assert times == sorted(times)
        page.reload()
        page.click("#tab-system")
    assert page.complaints == []


def test_gallery_keeps_to_the_policy_in_korean_on_a_phone(page, portal):
    page.set_viewport_size({"width": 390, "height": 844})
    page.context.add_cookies(
        [{"name": "language", "value": "ko", "url": portal.url}, {"name": "theme", "value": "dark", "url": portal.url}]
    )
    page.goto(portal.url)
    wait(page, "document.documentElement.dataset.bsTheme", "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click(".topbar [data-bs-target='#sidebar']")
    page.wait_for_selector("#sidebar.show >> text=자원 그룹")
    assert page.complaints == []


def test_a_refused_upload_is_an_alert_and_gone_with_the_next_try(page, portal):
    refused = {"detail": "The organization's 1 GB are used.", "hint": "Ask.", "code": "quota_exceeded"}
    page.route("**/x/uploads", lambda route: route.fulfill(status=409, json=refused))
    page.goto(portal.url)
    alert = page.locator("[data-upload] [role=alert]")
    assert alert.is_hidden()
    page.set_input_files("[data-upload-files] >> nth=0", [{"name": "a.png", "mimeType": "image/png", "buffer": b"x"}])
    page.wait_for_selector("[data-upload-error]:not([hidden])")
    assert alert.inner_text().split("\n") == [refused["detail"], "", refused["hint"]]
    assert page.locator("[data-upload] [data-text]").inner_text() == ""
    page.click("[data-upload-cancel]")
    assert alert.is_hidden()


NAMES = """(() => {
  const box = document.querySelector("[aria-label='matrix of many']");
  const chart = window.echarts.getInstanceByDom(box);
  if (!chart) return "";
  const words = chart.getZr().storage.getDisplayList().filter((one) => one.type === "tspan").map((one) => one.style.text);
  return [...JSON.parse(box.dataset.classes)].map((name) => words.filter((word) => word === name).length).join("");
})()"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_matrix_of_thirty_classes_names_each_on_both_axes(page, portal, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(portal.url)
    page.locator("[aria-label='matrix of many']").scroll_into_view_if_needed()
    wait(page, NAMES, "2" * 30)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_palette_asks_once_typing_rests_and_keys_choose_among_all(page, portal):
    asked = []

    def answer(route):
        asked.append(route.request.url.partition("?q=")[2])
        found = {"name": "Data of line 3", "url": "/projects/?found", "note": "Project", "icon": "folder"}
        route.fulfill(json={"results": [found]})

    page.route("**/search/?q=*", answer)
    page.goto(portal.url)
    wait(page, "Boolean(window.tabler)", True)
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette.show")
    page.keyboard.type("data")
    page.wait_for_selector("#palette-1 >> text=Data of line 3")
    assert asked == ["data"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/?found")


@pytest.mark.parametrize("late", ["htmx.min.js", "app.js"])
def test_a_choice_made_before_the_scripts_are_there_is_not_lost(page, portal, late):
    arrived = []
    page.route(f"**/{late}", lambda route: arrived.append(route))
    page.goto(portal.url, wait_until="commit")
    page.select_option("[name=state]", "Running")
    page.fill(".filters [name=q]", "caps")
    while not arrived:
        page.wait_for_timeout(20)
    with page.expect_request(lambda made: {"q=caps", "state=Running"} <= set(urlsplit(made.url).query.split("&"))):
        arrived[0].continue_()


def test_words_typed_before_the_scripts_are_there_are_not_lost(page, portal):
    arrived = []
    page.route("**/htmx.min.js", lambda route: arrived.append(route))
    page.goto(portal.url, wait_until="commit")
    page.fill(".filters [name=q]", "caps")
    while not arrived:
        page.wait_for_timeout(20)
    with page.expect_request(lambda made: "q=caps" in urlsplit(made.url).query):
        arrived[0].continue_()


def test_tabs_scroll_sideways_only_and_tiles_hold_their_words(page, portal):
    page.goto(portal.url)
    page.wait_for_selector(".tab-line")
    tabs = page.evaluate(
        "[...document.querySelectorAll('.tab-line')].map((one) => one.scrollHeight - one.clientHeight)"
    )
    assert tabs and set(tabs) == {0}
    note = "document.querySelector('.stat-note')"
    page.evaluate(f"{note}.textContent = 'words that need several lines '.repeat(6)")
    space = page.evaluate(
        """[...document.querySelectorAll(".row .stat")].map((one) => [one.getBoundingClientRect().bottom,
            one.lastElementChild.getBoundingClientRect().bottom].reduce((edge, words) => edge - words))"""
    )
    assert len(space) >= 4 and min(space) >= 12
    heights = page.evaluate("[...document.querySelectorAll('.row .stat')].map((one) => one.offsetHeight)")
    assert len(set(heights[:4])) == 1


def test_keys_open_what_they_promise_and_leave_typing_alone(page, portal):
    page.goto(portal.url)
    wait(
        page, "Boolean(window.tabler) && document.querySelector('[data-form-errors]') === document.activeElement", True
    )
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette.show")
    page.keyboard.type("data")
    page.wait_for_selector("#palette-0 >> text=Datasets")
    page.keyboard.press("Enter")
    page.wait_for_url("**/datasets/")
    page.goto(portal.url)
    wait(
        page, "Boolean(window.tabler) && document.querySelector('[data-form-errors]') === document.activeElement", True
    )
    page.fill("[data-search-focus]", "gp?")
    assert page.input_value("[data-search-focus]") == "gp?"
    assert page.locator(".modal.show").count() == 0
