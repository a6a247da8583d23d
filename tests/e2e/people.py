"""People with organizations of their own, in two languages, signed up over REST."""

import itertools
import time
from dataclasses import dataclass

import httpx

from tests.e2e.visitors import PASSWORD, LivePortal

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
