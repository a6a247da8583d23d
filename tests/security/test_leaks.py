"""Thirty secrets and more go through a real portal that crashes on the way; afterwards they are looked for everywhere."""

import asyncio
import json
import os
import re
import secrets as random_source
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from allauth.mfa.totp.internal import auth as totp
from modelyard.supervisor.address import free_port
from websockets.asyncio.client import connect

from tests.resilience.support import Portal, until
from tests.security import leaks
from tests.security.report import PROOFS

AT_LEAST = 30
#: Long enough to be seen running, and to be killed.
TRAINING = {"steps": 400, "step_seconds": 0.05, "epoch_steps": 50, "checkpoint_steps": 50}
#: Given by the environment, the harder case: whoever starts a process may hand it on.
CONFIGURED = (
    "SECRET_KEY",
    "AUDIT_KEY",
    "AUDIT_SIGNING_KEY",
    "API_KEY_SECRET",
    "SECRETS_KEY",
    "METRICS_TOKEN",
    "DATABASE_PASSWORD",
    "MLFLOW_DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
    "EMAIL_HOST_PASSWORD",
    "S3_SECRET_ACCESS_KEY",
)


def canary() -> str:
    """In small letters, as addresses are kept, and no word that anything else would hold."""
    return f"canary-{random_source.token_hex(12)}"


class Mailbox:
    """A mail server that wants a password, and what it was given."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.mails: list[tuple[str, str]] = []
        self.refusing = False
        self.controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), auth_require_tls=False, authenticator=self.authenticate
        )

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == self.password.encode())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusing:
            return "451 try again later"
        message = message_from_bytes(envelope.content)
        part = next(part for part in message.walk() if part.get_content_type() == "text/plain")
        self.mails.append((envelope.rcpt_tos[0], part.get_payload(decode=True).decode()))  # type: ignore[union-attr]
        return "250 taken"

    def link(self, address: str, pattern: str) -> str:
        """What the pattern's group finds in the newest mail to the address."""

        def found() -> str:
            texts = [text for to, text in self.mails if to == address]
            matches = [match[1] for text in texts if (match := re.search(pattern, text))]
            return matches[-1] if matches else ""

        return str(until(found, f"a mail to {address}"))


class GuardedPortal(Portal):
    """Every secret comes from outside; objects lie in an S3 store that checks signatures."""

    def __init__(self, configured: dict[str, str], mail_port: int, store: str) -> None:
        super().__init__()
        self.configured = {
            **configured,
            "S3_BUCKET": "bucket",
            "S3_ENDPOINT_URL": store,
            "S3_ACCESS_KEY_ID": "access",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(mail_port),
            "EMAIL_HOST_USER": "portal",
            "EMAIL_USE_TLS": "0",
            "RATE_SIGN_IN": "1000/min",
        }

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.configured}

    @contextmanager
    def without(self, table: str) -> Iterator[None]:
        """The table is out of reach: whoever needs it crashes."""
        self.execute(f"ALTER TABLE {table} RENAME TO hidden_{table}")
        try:
            yield
        finally:
            self.execute(f"ALTER TABLE hidden_{table} RENAME TO {table}")

    def execute(self, sql: str) -> None:
        self.rows("SELECT 1")  # connects
        assert self._database is not None
        self._database.execute(sql)


@contextmanager
def object_store(folder: Path, secret: str) -> Iterator[str]:
    """An S3 server that verifies signatures, on a free loopback port; its key goes by the environment."""
    (folder / "bucket").mkdir(parents=True)
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("rclone")),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        str(folder),
    ]
    environment = {**os.environ, "RCLONE_CONFIG": str(folder / "none.conf"), "RCLONE_AUTH_KEY": f'"access,{secret}"'}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            child.kill()


class Walk:
    """One walk through every door that takes or gives a secret."""

    def __init__(self, portal: GuardedPortal, mailbox: Mailbox, configured: dict[str, str]) -> None:
        self.portal, self.mailbox = portal, mailbox
        self.secrets = dict(configured)
        self.said: list[tuple[str, bytes]] = []
        self.http = httpx.Client(base_url=portal.url, timeout=30, trust_env=False)
        self.browser = httpx.Client(base_url=portal.url, timeout=30, trust_env=False, follow_redirects=True)
        self.crashes = 0
        self.email = "first@example.com"

    def keep(self, name: str, value: str) -> str:
        assert len(value) >= 8, name
        self.secrets[name] = value
        return value

    def typed(self, name: str) -> str:
        return self.keep(name, canary())

    def rest(self, method: str, path: str, body: Any = None, *, token: str = "", gives: bool = False, **headers: str):
        """`gives`: the answer is the one that hands the secret over, and is not searched."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.http.request(method, f"/api/v1{path}", json=body, headers=headers)
        self.crashes += answer.status_code == 500
        if not gives:
            self.said.append((f"answer of {method} {path}", str(answer.headers).encode() + answer.content))
        return answer

    def page(self, path: str, form: dict[str, str] | None = None, *, gives: bool = False) -> httpx.Response:
        answer = self.browser.get(path)
        if form is not None:
            found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.text)
            assert found, path
            body = {"csrfmiddlewaretoken": found[1], **form}
            answer = self.browser.post(path, data=body, headers={"Referer": f"{self.portal.url}{path}"})
        self.crashes += answer.status_code == 500
        if not gives:
            self.said.append((f"page {path}", answer.content))
        return answer

    # The doors

    def sign_up(self) -> None:
        self.password = self.typed("password at sign-up")
        body = {"email": self.email, "password": self.password, "company": "Acme"}
        assert self.rest("POST", "/auth/sign-up", body).status_code == 202
        key = self.keep("key of the verification", self.mailbox.link(self.email, r"/confirm-email/([^/\s]+)/"))
        proof = {"key": key, "password": self.password}
        self.rest("POST", "/auth/verify-email", {**proof, "key": key[:-1] + "x"})
        self.rest("POST", "/auth/verify-email", {**proof, "password": self.typed("wrong password at verification")})
        assert self.rest("POST", "/auth/verify-email", proof).status_code == 204
        self.browser.get(f"/account/confirm-email/{key}/")

    def sign_in(self, password: str) -> dict[str, Any]:
        answer = self.rest("POST", "/auth/token", {"email": self.email, "password": password}, gives=True)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def tokens(self) -> None:
        first = self.sign_in(self.password)
        self.keep("access token", first["access"])
        self.keep("refresh token", first["refresh"])
        fresh = self.rest("POST", "/auth/token/refresh", {"refresh": first["refresh"]}, gives=True).json()
        self.token = self.keep("refreshed access token", fresh["access"])
        self.keep("second refresh token", fresh["refresh"])
        self.rest("POST", "/auth/token", {"email": self.email, "password": self.typed("wrong password")})
        as_address = f"{self.typed('password typed as an address')}@example.com"
        self.rest("POST", "/auth/token", {"email": as_address, "password": "x"})
        # The page shows what was typed to who typed it.
        wrong = {"login": as_address, "password": self.typed("wrong password on the page")}
        assert self.secrets["wrong password on the page"] not in self.page("/account/login/", wrong, gives=True).text
        self.rest("GET", "/me", token=self.typed("invented token"))

    def passwords(self) -> None:
        self.rest("POST", "/auth/password/forgot", {"email": self.email})
        pattern = r"/account/password/reset/key/([^/\s]+)/"
        key = self.keep("key of the reset", self.mailbox.link(self.email, pattern))
        self.rest(
            "POST", "/auth/password/reset", {"key": f"{key}x", "password": self.typed("password of a failed reset")}
        )
        self.browser.get(f"/account/password/reset/key/{key}x/")
        self.password = self.typed("password of the reset")
        assert self.rest("POST", "/auth/password/reset", {"key": key, "password": self.password}).status_code == 204
        self.token = self.keep("access token after the reset", self.sign_in(self.password)["access"])
        wrong = {"old_password": self.typed("wrong old password"), "password": self.typed("password never taken")}
        self.rest("POST", "/auth/password/change", wrong, token=self.token)
        body = {"old_password": self.password, "password": self.typed("changed password")}
        assert self.rest("POST", "/auth/password/change", body, token=self.token).status_code == 204
        self.password = body["password"]
        self.token = self.keep("access token after the change", self.sign_in(self.password)["access"])

    def keys(self) -> None:
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
        body = {"name": "Program", "scopes": ["projects.view_project"], "expires_at": expires}
        made = self.rest("POST", "/api-keys", body, token=self.token, gives=True, **{"Idempotency-Key": "once"})
        assert made.status_code == 201, made.text
        self.keep("API key", made.json()["secret"])
        self.rest("GET", "/projects", token=self.secrets["API key"])
        self.rest("POST", "/projects", {"name": "Out of scope"}, token=self.secrets["API key"])
        self.rest("GET", "/projects", token=self.keep("mistyped API key", self.secrets["API key"][:-1] + "!"))
        turned = self.rest("POST", f"/api-keys/{made.json()['id']}/rotate", {}, token=self.token, gives=True)
        self.keep("rotated API key", turned.json()["secret"])
        self.keep(
            "ticket of a socket", self.rest("POST", "/ws-tickets", token=self.token, gives=True).json()["ticket"]
        )

    def invitation(self) -> None:
        organization = self.rest("GET", "/organizations", token=self.token).json()["results"][0]["id"]
        body = {
            "target_type": "organization",
            "target_id": organization,
            "email": "second@example.com",
            "role": "guest",
        }
        assert self.rest("POST", "/invitations", body, token=self.token).status_code == 201
        link = self.keep("token of an invitation", self.mailbox.link("second@example.com", r"/invite/([\w-]{43})/"))
        self.rest("GET", f"/invitations/{link}/info")
        self.rest("POST", f"/invitations/{link}/accept", {"password": "short"})
        self.rest("POST", f"/invitations/{link}/accept", {}, token=self.token)
        self.browser.get(f"/invite/{link[:-1]}x/")
        with self.portal.without("invitations_invitation"):
            self.rest("POST", f"/invitations/{link}/accept", {"password": self.typed("password of a crashed sign-up")})
            self.browser.get(f"/invite/{link}/")
        accepted = self.rest(
            "POST", f"/invitations/{link}/accept", {"password": self.typed("password of the invited")}, gives=True
        )
        assert accepted.status_code == 200, accepted.text
        self.keep("access token of the invited", accepted.json()["tokens"]["access"])
        self.keep("refresh token of the invited", accepted.json()["tokens"]["refresh"])

    def second_factor(self) -> None:
        self.page("/account/login/", {"login": self.email, "password": self.password})
        again = "/account/reauthenticate/?next=/account/second-factor/totp/activate/"
        shown = self.page(again, {"password": self.password}, gives=True)
        found = re.search(r"<code[^>]*>([A-Z2-7]{32})</code>", shown.text)
        assert found, shown.url
        app = self.keep("key of the authenticator app", found[1])

        def code(ahead: int = 0) -> str:
            return str(totp.format_hotp_value(totp.hotp_value(app, int(time.time()) // 30 + ahead)))

        # A page that is shown again would show another key: post to the one at hand.
        form = {"csrfmiddlewaretoken": self.browser.cookies["csrftoken"], "code": code()}
        path = "/account/second-factor/totp/activate/"
        done = self.browser.post(path, data=form, headers={"Referer": f"{self.portal.url}{path}"})
        assert done.status_code == 200 and "totp/activate" not in str(done.url), done.text
        shown = self.browser.get("/account/second-factor/recovery-codes/download/").text.split()
        for number, text in enumerate(shown[:3]):
            self.keep(f"recovery code {number}", text)
        refused = self.rest("POST", "/auth/token", {"email": self.email, "password": self.password}, gives=True).json()
        challenge = self.keep("challenge of the second factor", refused["params"]["challenge"])
        self.rest("POST", "/auth/token/mfa", {"challenge": challenge, "code": "000000"})
        with self.portal.without("mfa_authenticator"):
            self.rest("POST", "/auth/token/mfa", {"challenge": challenge, "code": shown[0]})
        answer = self.rest("POST", "/auth/token/mfa", {"challenge": challenge, "code": shown[0]}, gives=True)
        assert answer.status_code == 200, answer.text
        self.token = self.keep("access token by the second factor", answer.json()["access"])

    def crash(self) -> None:
        """Requests that carry secrets meet a table that is not there; a task does, and a mail server that refuses."""
        with self.portal.without("accounts_user"):
            self.rest("GET", "/me", token=self.token)
            self.rest("GET", "/projects", token=self.secrets["rotated API key"])
            body = {"email": self.email, "password": self.typed("password of a crashed sign-in")}
            self.rest("POST", "/auth/token", body)
            as_address = f"{self.typed('password typed as an address into a crash')}@example.com"
            self.rest("POST", "/auth/token", {"email": as_address, "password": "x"})
            self.page("/account/password/reset/")
        self.mailbox.refusing = True
        self.rest("POST", "/auth/password/forgot", {"email": "second@example.com"})
        with self.portal.without("account_emailaddress"):
            sent = {
                "email": "third@example.com",
                "password": self.typed("password of a failed task"),
                "company": "Acme",
            }
            assert self.rest("POST", "/auth/sign-up", sent).status_code == 202
            failed = "SELECT count(*) FROM core_outboxmessage WHERE last_error <> ''"
            until(lambda: self.portal.rows(failed)[0][0] >= 2, "a task and a mail that failed")
        self.mailbox.refusing = False
        assert self.crashes >= 6

    def training(self) -> None:
        """A training whose trainer is killed; what its processes were started with; frames of its socket."""
        frames: list[bytes] = []
        job = self.portal.submit(**TRAINING)
        self.keep("token of the engineer", self.portal.token)
        self.portal.wait_for_steps(job, 20)
        attempt = self.portal.attempts(job)[-1][1]
        path = self.portal.attempt_folder(attempt) / leaks.TOKEN_FILE
        self.keep("token of the attempt", path.read_text())
        for number in self.portal.processes_of(attempt):
            self.said.append(("environment of a trainer's process", Path(f"/proc/{number}/environ").read_bytes()))
            self.said.append(("command line of a trainer's process", Path(f"/proc/{number}/cmdline").read_bytes()))
        launcher = self.portal.launcher_facts(attempt)["pid"]
        self.said.append(("environment of a launcher", Path(f"/proc/{launcher}/environ").read_bytes()))
        assert len(self.said) > 4
        trainer = next(
            number
            for number in self.portal.processes_of(attempt)
            if b"modelyard_reference" in Path(f"/proc/{number}/cmdline").read_bytes()
        )
        asyncio.run(self._listen(job, frames, lambda: os.kill(trainer, signal.SIGKILL)))
        assert any(b'"hint"' in frame for frame in frames)
        self.said += [("frame of a socket", frame) for frame in frames]
        self.portal.wait_for_end(job)
        self.portal.wait_for_mirror()

    async def _listen(self, job: str, frames: list[bytes], kill: Any) -> None:
        ticket = self.rest("POST", "/ws-tickets", token=self.portal.token, gives=True).json()["ticket"]
        self.keep("ticket of an open socket", ticket)
        address = f"{self.portal.url.replace('http', 'ws', 1)}/ws/training-jobs/{job}/"
        protocols: Any = ["modelyard.v1", f"modelyard.ticket.{ticket}"]
        async with connect(address, subprotocols=protocols, proxy=None) as opened:
            frames.append(str(opened.response.headers if opened.response else "").encode())
            for number in range(12):
                frames.append(str(await asyncio.wait_for(opened.recv(), 30)).encode())
                if number == 5:
                    kill()

    def look_around(self) -> None:
        """Every list and page that an administrator of the organization reads."""
        schema = self.http.get("/api/schema/?format=json").json()
        paths = [path for path, methods in schema["paths"].items() if "get" in methods and "{" not in path]
        assert len(paths) > 15
        for path in paths:
            for token in (self.token, self.portal.token):
                self.rest("GET", path.removeprefix("/api/v1"), token=token)
        for path in (
            "/",
            "/profile/",
            "/profile/sessions/",
            "/api-keys/",
            "/audit/",
            "/audit/organization/",
            "/organization/members/",
        ):
            assert self.page(path).status_code == 200, path


@pytest.mark.security(PROOFS, "secrets through a running portal that crashes, looked for everywhere: secrets")
def test_no_secret_stays_where_it_should_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    configured = {name: canary() for name in CONFIGURED}
    for name in ("DATABASE_PASSWORD", "MLFLOW_DATABASE_PASSWORD"):
        monkeypatch.setenv(name, configured[name])  # the test reads the databases itself
    mailbox = Mailbox(configured["EMAIL_HOST_PASSWORD"])
    mailbox.controller.start()
    store = tmp_path / "objects"
    with object_store(store, configured["S3_SECRET_ACCESS_KEY"]) as address:
        portal = GuardedPortal(configured, mailbox.controller.port, address)
        try:
            portal.start()
            portal.wait_until_well()
            walk = Walk(portal, mailbox, configured)
            with leaks.Overheard(portal.home) as overheard:
                for step in (
                    walk.sign_up,
                    walk.tokens,
                    walk.passwords,
                    walk.keys,
                    walk.invitation,
                    walk.second_factor,
                    walk.crash,
                    walk.training,
                    walk.look_around,
                ):
                    step()
                places = everywhere(portal, walk, store, overheard)
                found, size = leaks.hits(walk.secrets, places)
        finally:
            portal.close()
            mailbox.controller.stop()
    record_property("tried", len(walk.secrets))
    record_property("found", f"{len(found)} hits in {size / 1e6:.0f} MB; {walk.crashes} requests had crashed")
    assert len(walk.secrets) >= AT_LEAST
    assert not found, "\n".join(found)


def everywhere(
    portal: GuardedPortal, walk: Walk, store: Path, overheard: leaks.Overheard
) -> Iterator[tuple[str, bytes]]:
    yield from walk.said
    yield from leaks.database(portal.home)
    yield from leaks.broker(portal.home)
    yield "what went through the broker", bytes(overheard.content)
    yield from leaks.files(portal.home, store)
    yield "file up.log", (portal.folder / "up.log").read_bytes()
    yield from leaks.command_lines()


def test_a_secret_is_found_in_every_form() -> None:
    """The search itself: plain, hex, base64 wherever it begins, in a URL and in JSON."""
    secret = 'Canary/with "quotes" and + signs'
    text = json.dumps({"a": secret}).encode()
    for content in (
        secret.encode(),
        secret.encode().hex().encode(),
        text,
        httpx.URL("http://x/", params={"q": secret}).raw_path.replace(b"+", b"%20"),
        *(leaks.base64.b64encode(b"x" * offset + secret.encode() + b"yz") for offset in range(5)),
    ):
        assert leaks.hits({"it": secret}, iter([("place", content)]))[0] == ["it in place"], content
    assert leaks.hits({"it": secret}, iter([("place", b"Canary/with")]))[0] == []
