"""A whole portal, started with its one command, and a browser in front of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from modelyard.demo import Journey
from playwright.sync_api import Browser, expect, sync_playwright

from tests.chromium import chromium
from tests.e2e.mailbox import Mailbox
from tests.e2e.people import People, Person
from tests.e2e.visitors import PASSWORD, ROOT, LivePortal, Visitor, Window
from tests.services import PORTALS_STATIC_ROOT

HERE = Path(__file__).parent
#: Every journey in both languages (`make journeys`) rather than in one.
FULL = "MODELYARD_JOURNEYS_FULL" in os.environ
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
        "STATIC_ROOT": os.environ[PORTALS_STATIC_ROOT],
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


@pytest.fixture(scope="package")
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


@pytest.fixture(params=["en", "ko"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="package")
def people(live_portal: LivePortal) -> People:
    return People(live_portal)


@pytest.fixture
def window(visit: Any, people: People, language: str) -> Iterator[Callable[..., Window]]:
    """`window(person)` is signed in, `window()` belongs to nobody yet. No window may have complained in the end."""
    windows: list[Window] = []

    def opened(person: Person | None = None, **options: Any) -> Window:
        visitor = visit(language=person.language if person else language, **options)
        if person:
            cookie = {"name": "sessionid", "value": people.session(person), "url": people.portal.url}
            visitor.page.context.add_cookies([cookie])
        found = Window(visitor.page, visitor.portal, visitor.language)
        windows.append(found)
        return found

    yield opened
    assert [window.complaints for window in windows if window.complaints] == []
