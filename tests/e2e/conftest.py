"""A whole portal, started with its one command, and a browser in front of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from modelyard.demo import Journey
from modelyard.demo.journey import EMAIL
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-enough-passphrase"
START_SECONDS = 120
STOP_SECONDS = 60


@dataclass
class LivePortal:
    """Where the portal is, and who can sign in."""

    url: str
    email: str = EMAIL
    password: str = PASSWORD


@pytest.fixture(scope="session")
def live_portal() -> Iterator[LivePortal]:
    """`manage.py up` in a home of its own, with one person who has signed up over REST."""
    folder = Path(tempfile.mkdtemp(prefix="modelyard-e2e-", dir="/tmp"))
    folder.chmod(0o711)
    home = folder / "home"
    environment = {
        **os.environ,
        "MODELYARD_HOME": str(home),
        "STATIC_ROOT": str(folder / "staticfiles"),
        "DJANGO_SETTINGS_MODULE": "modelyard.settings.base",
    }
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
        Journey(url, PASSWORD, home / "mail", lambda step, text: None).sign_in()
        yield LivePortal(url)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
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
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = (self.portal.url, self.portal.url.replace("http", "ws", 1), "data:", "blob:")
        page = self.page
        page.set_default_timeout(60_000)
        page.on(
            "console",
            lambda said: self.complaints.append(f"{said.text} {said.location}") if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda made: None if made.url.startswith(own) else self.complaints.append(made.url))
        page.on("websocket", lambda made: None if made.url.startswith(own) else self.complaints.append(made.url))

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.portal.url}{path}")
        assert answer is not None
        assert answer.status == 200, path

    def sign_in(self) -> None:
        self.go("/account/login/")
        self.page.fill("input[name=login]", self.portal.email)
        self.page.fill("input[name=password]", self.portal.password)
        self.page.click("main button[type=submit], form button[type=submit]")
        self.page.wait_for_url(f"{self.portal.url}/")


@pytest.fixture
def visit(live_portal: LivePortal) -> Iterator[Any]:
    """`visit(language="ko", theme="dark", width=390)`: a window of a person who prefers that."""
    chromium = os.environ.get("MODELYARD_CHROMIUM") or shutil.which("chromium")
    assert chromium, "chromium is needed: `make test` installs it"
    # The browser library runs a loop in this thread; Django would refuse to be used beside it.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )

        def opened(language: str = "en", theme: str = "light", width: int = 1280) -> Visitor:
            context = browser.new_context(viewport={"width": width, "height": 900})
            cookies = {"django_language": language, "theme": theme}
            context.add_cookies([{"name": n, "value": v, "url": live_portal.url} for n, v in cookies.items()])
            return Visitor(context.new_page(), live_portal)

        yield opened
        browser.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
    if before is not None:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before
