"""The whole way through a provider that is a program of its own, over HTTP and in a browser."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from playwright.sync_api import sync_playwright

from apps.accounts.models import User
from apps.core.testing import Cast
from apps.organizations.models import Membership, MembershipState
from apps.singlesignon.models import Admission, Connection
from tests.chromium import chromium
from tests.factories.singlesignon import CLIENT_SECRET, ConnectionFactory

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
PASSWORD = "a long passphrase at the provider"


@dataclass
class Provider:
    """allauth's identity provider, in a process and with a database of its own."""

    url: str

    def register(self, **told: Any) -> None:
        httpx.post(f"{self.url}/register", json=told, trust_env=False, timeout=20).raise_for_status()

    def person(self, email: str, *, is_verified: bool = True) -> None:
        self.register(email=email, password=PASSWORD, is_verified=is_verified)

    def client(self, connection: Connection, portal: str) -> None:
        """What an administrator enters there."""
        address = f"{portal}/account/single-sign-on/{connection.pk}/callback/"
        self.register(client_id=connection.client_id, client_secret=CLIENT_SECRET, redirect_uri=address)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("provider")
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.singlesignon.idp", str(folder), str(port)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        found = Provider(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert child.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            try:
                httpx.get(f"{found.url}/.well-known/openid-configuration", trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield found
    finally:
        child.terminate()
        child.wait(20)


@pytest.fixture
def provider(process: Provider, settings: Any) -> Provider:
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", urlsplit(process.url).port)})
    return process


def connected(cast: Cast, provider: Provider, portal: str, **fields: Any) -> Connection:
    connection: Connection = ConnectionFactory(
        organization=cast.sample("organization"),
        issuer=provider.url,
        domains=["acme.example"],
        admission=Admission.MEMBER,
        **fields,
    )
    provider.client(connection, portal)
    return connection


def sign_in(client: Client, visitor: httpx.Client, email: str) -> Any:
    """As a browser goes, with one jar of cookies for the portal and one for the provider."""
    target = client.post("/account/single-sign-on/", {"who": email}).context["target"]
    answer = follow(visitor, visitor.get(target))
    if "/accounts/login/" in str(answer.url):
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.text)
        assert token
        form = {"csrfmiddlewaretoken": token.group(1), "login": email, "password": PASSWORD}
        answer = follow(visitor, visitor.post(str(answer.url), data=form))
    back = urlsplit(answer.headers["Location"])
    return client.get(f"{back.path}?{back.query}")


@pytest.fixture
def visitor(provider: Provider) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=provider.url, trust_env=False, timeout=20) as found:
        yield found


def follow(visitor: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Redirects within the provider."""
    while answer.is_redirect and not answer.headers["Location"].startswith("http://testserver/"):
        answer = visitor.get(answer.headers["Location"])
    return answer


def test_a_whole_sign_in_makes_the_membership_and_the_next_one_finds_it(
    cast: Cast, provider: Provider, visitor: httpx.Client
) -> None:
    connection = connected(cast, provider, "http://testserver", client_id="http-client")
    provider.person("kim@acme.example")
    client = Client()
    assert sign_in(client, visitor, "kim@acme.example").status_code == 302
    assert client.get("/projects/").status_code == 200
    membership = Membership.objects.get(user__email="kim@acme.example")
    assert (membership.organization_id, membership.state) == (connection.organization_id, MembershipState.ACTIVE)
    again = Client()
    assert sign_in(again, visitor, "kim@acme.example").status_code == 302, "the provider knows the browser still"
    assert again.session["_auth_user_id"] == client.session["_auth_user_id"]
    assert User.objects.filter(email="kim@acme.example").count() == 1


def test_an_address_that_the_provider_has_not_verified_stays_outside(
    cast: Cast, provider: Provider, visitor: httpx.Client
) -> None:
    connected(cast, provider, "http://testserver", client_id="careful-client")
    provider.person("lee@acme.example", is_verified=False)
    client = Client()
    response = sign_in(client, visitor, "lee@acme.example")
    assert response.context["refusal"].code == "address_unverified"
    assert "_auth_user_id" not in client.session


def test_the_connection_is_tried_against_a_real_provider(cast: Cast, provider: Provider) -> None:
    connection = connected(cast, provider, "http://testserver", client_id="tried-client")
    path = f"/organizations/{connection.organization_id}/single-sign-on"
    assert cast.admin.rest.post(f"{path}/test").json()["code"] == ""
    cast.admin.rest.patch(path, {"client_secret": "not the one"})
    assert cast.admin.rest.post(f"{path}/test").json()["code"] == "client_refused"


@pytest.mark.e2e
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_person_signs_in_with_their_organization_in_a_browser(
    language: str, live_server: Any, cast: Cast, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    portal = live_server.url.replace("localhost", "127.0.0.1")
    email = f"browser-{language}@acme.example"
    connected(cast, provider, portal, client_id=f"browser-{language}", short_name=f"acme-{language}")
    provider.person(email)
    complaints: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on(
            "console",
            lambda said: complaints.append(f"{said.location['url']} {said.text}") if said.type == "error" else None,
        )
        page.context.add_cookies([{"name": "django_language", "value": language, "url": portal}])
        page.goto(f"{portal}/account/login/?next=/projects/")
        page.click("a[href*='/account/single-sign-on/']")
        page.fill("input[name=who]", f"acme-{language}")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{provider.url}/accounts/login/**")
        page.fill("input[name=login]", email)
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{portal}/projects/")
        assert page.locator("html").get_attribute("lang") == language
        assert Membership.objects.filter(user__email=email).exists()
        browser.close()
    assert [said for said in complaints if not said.startswith(provider.url)] == [], (
        "nothing that the content security policy would not have"
    )
