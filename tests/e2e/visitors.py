"""The portal of the journeys, and the browser windows of those who visit it."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import translation
from modelyard.demo.journey import EMAIL
from playwright.sync_api import ConsoleMessage, Locator, Page, Request

from tests.e2e.mailbox import Mailbox

ROOT = Path(__file__).parents[2]
PASSWORD = "a-long-enough-passphrase"


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

    def sees_pictures(self, place: str) -> None:
        """Every picture there has arrived: what is asked for later may be gone by then."""
        for picture in self.page.locator(f"{place} img").all():
            picture.scroll_into_view_if_needed()
            self.page.wait_for_function("picture => picture.complete", arg=picture.element_handle())

    def sign_in(self, email: str = "", password: str = "") -> None:
        self.go("/account/login/")
        self.give_password(email or self.portal.email, password or self.portal.password)
        self.page.wait_for_url(f"{self.portal.url}/")

    def give_password(self, email: str, password: str) -> None:
        self.page.fill("input[name=login]", email)
        self.page.fill("input[name=password]", password)
        with self.page.expect_navigation():
            self.page.click("main button[type=submit] >> nth=0")


@dataclass
class Window(Visitor):
    """A visitor whose pages are read in one language."""

    def say(self, text: str, **values: Any) -> str:
        """The portal's text as the visitor reads it."""
        with translation.override(self.language):
            said = translation.gettext(text)
        assert self.language == "en" or said != text, f"{text!r} has no {self.language}"
        return said % values if values else said

    def say_number(self, one: str, many: str, number: int, **values: Any) -> str:
        """The portal's text about so many, which stands in it as `count` besides the values."""
        with translation.override(self.language):
            said = translation.ngettext(one, many, number)
        assert self.language == "en" or said not in (one, many), f"{one!r} has no {self.language}"
        return said % {"count": number, **values}

    def told(self, text: str, level: str = "success", **values: Any) -> None:
        """A notice of this text is shown."""
        self.notified(self.say(text, **values), level)

    def notified(self, words: str, level: str = "success") -> None:
        notes = self.page.locator(f"#toasts [data-level={level}] [data-toast-text]")
        notes.filter(has_text=words).first.wait_for()

    def reads(self, text: str, **values: Any) -> None:
        """The page says it, in its own part or as a heading."""
        self.page.locator("main").get_by_text(self.say(text, **values)).first.wait_for()

    def row(self, text: str) -> Locator:
        return self.page.locator("main tr", has_text=text)

    def submit(self, form: str = "main form") -> None:
        self.page.locator(form).locator("button[type=submit]").first.click()

    def agree(self) -> None:
        """Says yes to the question before an act."""
        self.page.locator("#confirm.show [data-confirm-yes]").click()

    def fits(self) -> None:
        """Nothing of the page lies beside the screen."""
        viewport = self.page.viewport_size
        assert viewport is not None
        assert self.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], self.page.url

    def downloaded(self, link: str) -> bytes:
        with self.page.expect_download() as started:
            self.page.locator(link).first.click()
        return Path(started.value.path()).read_bytes()
