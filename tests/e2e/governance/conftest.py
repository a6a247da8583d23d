"""People with organizations of their own, in two languages, and their windows in front of the one portal."""

import csv
import io
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import translation
from playwright.sync_api import Locator

from tests.e2e.conftest import PASSWORD, LivePortal, Visitor

NAMES = {"en": ("Ada Lindqvist", "Tomas Berg", "Maya Okafor"), "ko": ("김하늘", "이도윤", "박서연")}
COMPANIES = {"en": "Northlight Optics", "ko": "한빛정밀"}


@dataclass(frozen=True)
class Person:
    """Somebody whose address is verified."""

    email: str
    name: str
    language: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Company:
    """An organization with an administrator and an engineer II, and an address invited when it was founded."""

    id: str
    name: str
    admin: Person
    engineer: Person
    invited: str
    invited_at: float


class People:
    """Signs people up over REST, with the links of the mails that they get."""

    def __init__(self, portal: LivePortal) -> None:
        self.portal = portal
        self._numbers = itertools.count(1)
        self._sessions: dict[str, str] = {}
        self._companies: dict[str, Company] = {}

    def address(self, word: str) -> str:
        """An address that nobody has."""
        return f"{word}-{next(self._numbers)}@people.example"

    def sign_up(self, language: str, company: str, name: str = "") -> Person:
        """A person whose address is verified: the company's administrator, or one who waits."""
        email = self.address("person")
        http = self._http(language)
        body = {"email": email, "password": PASSWORD, "company": company, "division": ""}
        http.post("/auth/sign-up", json=body).raise_for_status()
        key = self.portal.mailbox.take(email).link("/account/confirm-email/").rstrip("/").rsplit("/", 1)[1]
        http.post("/auth/verify-email", json={"key": key, "password": PASSWORD}).raise_for_status()
        person = Person(email, name or NAMES[language][0], language)
        self.api(person).patch("/me", json={"name": person.name}).raise_for_status()
        return person

    def api(self, person: Person) -> httpx.Client:
        """REST as the person, by an access token."""
        http = self._http(person.language)
        answer = http.post("/auth/token", json={"email": person.email, "password": person.password})
        http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access']}"
        return http

    def key(self, secret: str) -> httpx.Client:
        """REST as a program that has an API key."""
        http = self._http("en")
        http.headers["Authorization"] = f"Bearer {secret}"
        return http

    def session(self, person: Person) -> str:
        """The cookie of a session of the person's: windows share it where the sign-in is not the matter."""
        if person.email not in self._sessions:
            with httpx.Client(base_url=self.portal.url, trust_env=False) as http:
                http.get("/account/login/").raise_for_status()
                form = {"login": person.email, "password": person.password}
                form["csrfmiddlewaretoken"] = http.cookies["csrftoken"]
                answer = http.post("/account/login/", data=form)
                assert answer.headers["location"] == "/", answer.text
                self._sessions[person.email] = http.cookies["sessionid"]
        return self._sessions[person.email]

    def company(self, language: str) -> Company:
        """One organization for all journeys of a language that need no other."""
        if language not in self._companies:
            self._companies[language] = self.found(language, COMPANIES[language])
        return self._companies[language]

    def found(self, language: str, name: str) -> Company:
        admin = self.sign_up(language, name, NAMES[language][0])
        engineer = self.sign_up(language, name, NAMES[language][1])
        http = self.api(admin)
        (membership,) = http.get("/me").raise_for_status().json()["memberships"]
        organization = membership["organization_id"]
        self.approve(admin, organization, engineer, "engineer_ii")
        invited = self.address("invited")
        body = {"target_type": "organization", "target_id": organization, "email": invited, "role": "guest"}
        http.post("/invitations", json=body).raise_for_status()
        return Company(organization, name, admin, engineer, invited, time.monotonic())

    def approve(self, admin: Person, organization: str, person: Person, role: str) -> None:
        http = self.api(admin)
        rows = http.get(f"/organizations/{organization}/members").raise_for_status().json()["results"]
        (row,) = (row for row in rows if row["user_email"] == person.email)
        answer = http.post(f"/organizations/{organization}/members/{row['id']}/approve", json={"role": role})
        answer.raise_for_status()

    def _http(self, language: str) -> httpx.Client:
        headers = {"Accept-Language": language}
        return httpx.Client(base_url=f"{self.portal.url}/api/v1", headers=headers, timeout=60, trust_env=False)


@dataclass
class Window(Visitor):
    """A visitor whose pages are read in one language."""

    def say(self, text: str, **values: Any) -> str:
        """The portal's text as the visitor reads it."""
        with translation.override(self.language):
            said = translation.gettext(text)
        assert self.language == "en" or said != text, f"{text!r} has no {self.language}"
        return said % values if values else said

    def told(self, text: str, level: str = "success", **values: Any) -> None:
        """A notice of this text is shown."""
        notes = self.page.locator(f"#toasts [data-level={level}] [data-toast-text]")
        notes.filter(has_text=self.say(text, **values)).first.wait_for()

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

    def downloaded(self, link: str) -> bytes:
        with self.page.expect_download() as started:
            self.page.locator(link).first.click()
        return Path(started.value.path()).read_bytes()


def table_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV that a spreadsheet opens: it begins with the mark of UTF-8."""
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


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
