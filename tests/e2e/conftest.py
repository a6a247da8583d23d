"""A whole portal, started with its one command, and a browser in front of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from modelyard.demo import Journey
from modelyard.demo.journey import EMAIL
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.chromium import chromium
from tests.e2e.mailbox import Mailbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: Every journey in both languages (`make journeys`) rather than in one.
FULL = "MODELYARD_JOURNEYS_FULL" in os.environ
PASSWORD = "a-long-enough-passphrase"
START_SECONDS = 300
STOP_SECONDS = 60


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves each journey one language, in turns: a journey costs as much as hundreds of other tests."""
    if FULL:
        return
    journeys = dict.fromkeys(_journey(item) for item in items if _in_languages(item))
    spoken = {journey: ("en", "ko")[number % 2] for number, journey in enumerate(journeys)}
    left_out = [item for item in items if _in_languages(item) and _language(item) != spoken[_journey(item)]]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _in_languages(item: pytest.Item) -> bool:
    return item.path.is_relative_to(HERE) and isinstance(item, pytest.Function) and "language" in _parameters(item)


def _journey(item: pytest.Item) -> tuple[Path, str]:
    assert isinstance(item, pytest.Function)
    return item.path, item.originalname


def _language(item: pytest.Item) -> str:
    return str(_parameters(item)["language"])


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return dict(item.callspec.params) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


@dataclass
class LivePortal:
    """Where the portal is, and who can sign in."""

    url: str
    mailbox: Mailbox
    environment: dict[str, str]
    email: str = EMAIL
    password: str = PASSWORD

    def command(self, *words: str, **more: str) -> None:
        """Runs `manage.py` beside the portal."""
        environment = {**self.environment, **more}
        subprocess.run([sys.executable, str(ROOT / "manage.py"), *words], env=environment, check=True, timeout=120)


@pytest.fixture(scope="package")
def live_portal() -> Iterator[LivePortal]:
    """`manage.py up` in a home and with a mail server of its own, and one person who has signed up over REST.

    It ends with the last journey: what runs afterwards has the machine to itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="modelyard-e2e-", dir="/tmp"))
    folder.chmod(0o711)
    home = folder / "home"
    mailbox = Mailbox(folder / "mail")
    environment = {
        **os.environ,
        **mailbox.environment,
        "MODELYARD_HOME": str(home),
        "STATIC_ROOT": str(folder / "staticfiles"),
        "DJANGO_SETTINGS_MODULE": "modelyard.settings.base",
        # Journeys of many people begin at this one address.
        "RATE_SIGN_IN": "1000/min",
    }
    mailbox.start()
    with open(folder / "up.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", "--no-mlflow", "--quiet"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _wait_ready(process, home, folder / "up.log")
        Journey(url, PASSWORD, mailbox.folder, lambda step, text: None).sign_in()
        yield LivePortal(url, mailbox, environment)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
        mailbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_ready(process: "subprocess.Popen[bytes]", home: Path, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            url = (home / "run" / "portal.url").read_text().strip()
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).status_code == 200:
                return url
        except (OSError, httpx.HTTPError):
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@dataclass
class Visitor:
    """A person's browser window, and what went wrong in it."""

    page: Page
    portal: LivePortal
    language: str = "en"
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        page = self.page
        page.set_default_timeout(60_000)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda made: self._asked(made.url))
        page.on("websocket", lambda made: self._asked(made.url))
        page.on("requestfailed", self._failed)

    def _said(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(f"{said.text} {said.location}")

    def _asked(self, url: str) -> None:
        own = (self.portal.url, self.portal.url.replace("http", "ws", 1), "data:", "blob:")
        if not url.startswith(own):
            self.complaints.append(url)

    def _failed(self, made: Request) -> None:
        # What a page still asked for when it was left, and what became a download.
        if made.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{made.url}: {made.failure}")

    def go(self, path: str, status: int = 200) -> None:
        answer = self.page.goto(path if path.startswith("http") else f"{self.portal.url}{path}")
        assert answer is not None
        assert answer.status == status, path
        if status >= 400:
            self.refused(status)

    def refused(self, status: int) -> None:
        """Takes the browser's complaint about a refusal that is meant back; there must be one."""
        end = time.monotonic() + 10
        sign = f"the server responded with a status of {status}"
        while not (found := [text for text in self.complaints if sign in text]):
            assert time.monotonic() < end, f"no answer was {status}"
            self.page.wait_for_timeout(50)
        self.complaints.remove(found[0])

    def sign_in(self, email: str = "", password: str = "") -> None:
        self.go("/account/login/")
        self.give_password(email or self.portal.email, password or self.portal.password)
        self.page.wait_for_url(f"{self.portal.url}/")

    def give_password(self, email: str, password: str) -> None:
        self.page.fill("input[name=login]", email)
        self.page.fill("input[name=password]", password)
        with self.page.expect_navigation():
            self.page.click("main button[type=submit] >> nth=0")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The browser library runs a loop in this thread; Django would refuse to be used beside it.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    # As long as a click waits: an assertion on a page that is still on its way is not a failure yet.
    expect.set_options(timeout=60_000)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
    if before is not None:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def visit(live_portal: LivePortal, browser: Browser) -> Iterator[Any]:
    """`visit(language="ko", theme="dark", width=390)`: a window of a person who prefers that; `at` is another name of the portal."""
    contexts = []

    def opened(language: str = "en", theme: str = "light", width: int = 1280, at: str = "") -> Visitor:
        portal = replace(live_portal, url=at or live_portal.url)
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        cookies = {"django_language": language, "theme": theme}
        context.add_cookies([{"name": n, "value": v, "url": portal.url} for n, v in cookies.items()])
        return Visitor(context.new_page(), portal, language)

    yield opened
    for context in contexts:
        context.close()
