"""What a provider may answer and must not: no sign-in, no account, a reason on the page, one event in the log."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.singlesignon.models import Connection
from apps.singlesignon.reasons import REASONS
from tests.factories.singlesignon import CLIENT_ID, CLIENT_SECRET
from tests.security.report import CREDENTIALS
from tests.singlesignon.provider import KEY, KID, OTHER_KEY, FakeProvider, Journey, jwk_of, say

pytestmark = pytest.mark.security(CREDENTIALS, "bad answers of providers")
NOW = int(time.time())
Spoil = Callable[[FakeProvider], None]


def claims(**changed: Any) -> Spoil:
    return lambda provider: provider.claims.update(changed)


def document(**changed: Any) -> Spoil:
    return lambda provider: provider.document.update(changed)


def signed(make: Callable[[dict[str, Any]], Any]) -> Spoil:
    return lambda provider: setattr(provider, "signed", make)


def answer(path: str, body: bytes, status: int = 200, kind: str = "application/json") -> Spoil:
    return lambda provider: provider.answers.update({path: lambda handler: say(handler, body, status, kind)})


def drip(handler: Any) -> None:
    """A byte now and then, for as long as anybody listens."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _number in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def redirect(provider: FakeProvider) -> None:
    def turn(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"{provider.issuer}/inner")
        handler.end_headers()

    provider.answers["/token"] = turn
    provider.answers["/inner"] = lambda handler: say(handler, b"{}")


def encoded(name: str) -> Spoil:
    def packed(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", name)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"abc")

    return lambda provider: provider.answers.update({"/keys": packed})


def by_secret(said: dict[str, Any]) -> str:
    """Signed with what the portal knows too."""
    return jwt.encode(said, CLIENT_SECRET, "HS256", headers={"kid": KID})


def by_public_key(said: dict[str, Any]) -> str:
    """Signed with the public key as if it were a secret."""
    public = json.dumps(jwk_of(KEY)).encode()
    parts = [{"alg": "HS256", "kid": KID}, said]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    mark = base64.urlsafe_b64encode(hmac.new(public, text.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    return f"{text}.{mark}"


def tampered(said: dict[str, Any]) -> str:
    head, _body, mark = jwt.encode(said, KEY, "RS256", headers={"kid": KID}).split(".")
    other = jwt.encode({**said, "sub": "somebody-else"}, KEY, "RS256", headers={"kid": KID}).split(".")[1]
    return f"{head}.{other}.{mark}"


BAD: dict[str, tuple[Spoil, str]] = {
    # The ID token
    "another issuer": (claims(iss="https://evil.example"), "issuer_wrong"),
    "no issuer": (claims(iss=None), "token_invalid"),
    "another audience": (claims(aud="another-portal"), "audience_wrong"),
    "several audiences, made for another": (claims(aud=[CLIENT_ID, "x"], azp="x"), "audience_wrong"),
    "several audiences, nobody named": (claims(aud=[CLIENT_ID, "x"]), "audience_wrong"),
    "another nonce": (claims(nonce="of-another-sign-in"), "nonce_wrong"),
    "no nonce": (claims(nonce=None), "nonce_wrong"),
    "expired": (claims(exp=NOW - 3600, iat=NOW - 7200), "token_expired"),
    "no expiry": (claims(exp=None), "token_invalid"),
    "expiry as a text": (claims(exp="soon"), "token_invalid"),
    "not valid yet": (claims(nbf=NOW + 3600), "token_invalid"),
    "no subject": (claims(sub=None), "subject_missing"),
    "an empty subject": (claims(sub=" "), "subject_missing"),
    "a number as subject": (claims(sub=7), "token_invalid"),
    "an endless subject": (claims(sub="x" * 500), "subject_missing"),
    "unsigned": (signed(lambda said: jwt.encode(said, None, "none")), "signature_wrong"),
    "another key": (
        signed(lambda said: jwt.encode(said, OTHER_KEY, "RS256", headers={"kid": KID})),
        "signature_wrong",
    ),
    "an unknown key": (signed(lambda said: jwt.encode(said, KEY, "RS256", headers={"kid": "?"})), "signature_wrong"),
    "signed by the client's secret": (signed(by_secret), "signature_wrong"),
    "signed by the public key": (signed(by_public_key), "signature_wrong"),
    "changed after signing": (signed(tampered), "signature_wrong"),
    "no token": (signed(lambda said: None), "token_missing"),
    "not a token": (signed(lambda said: "a.b.c"), "token_invalid"),
    "a list as token": (signed(lambda said: [said]), "token_invalid"),
    # The person
    "an address of another domain": (claims(email="kim@other.example"), "domain_foreign"),
    "a subdomain": (claims(email="kim@sub.acme.example"), "domain_foreign"),
    "two addresses in one": (claims(email="kim@other.example,kim@acme.example"), "address_missing"),
    "an unverified address": (claims(email_verified=False), "address_unverified"),
    "an address of which nothing is said": (claims(email_verified=None), "address_unverified"),
    "an address verified by a word": (claims(email_verified="maybe"), "address_unverified"),
    "no address": (claims(email=None), "address_missing"),
    "a list of addresses": (claims(email=["kim@acme.example"]), "address_missing"),
    "the user endpoint speaks of somebody else": (
        lambda provider: (
            provider.claims.update(email=None),
            provider.userinfo.update(sub="person-2", email="kim@acme.example", email_verified=True),
        )[0],
        "token_invalid",
    ),
    # The answers
    "the document names another issuer": (document(issuer="https://evil.example"), "issuer_wrong"),
    "the token door in a private network": (document(token_endpoint="https://10.0.0.5/token"), "address_private"),
    "the keys on this machine": (document(jwks_uri="http://127.0.0.1:1/keys"), "url_refused"),
    "a script as sign-in page": (document(authorization_endpoint="javascript:alert(1)"), "url_refused"),
    "no token door": (document(token_endpoint=None), "answer_unreadable"),
    "a redirect": (redirect, "redirected"),
    "HTML for JSON": (answer("/token", b"<html>Sign in</html>", kind="text/html"), "answer_unreadable"),
    "a list for an object": (answer("/keys", b"[]"), "answer_unreadable"),
    "keys that are none": (answer("/keys", b'{"keys": [1]}'), "answer_unreadable"),
    "no keys": (answer("/keys", b'{"keys": []}'), "signature_wrong"),
    "a broken key": (answer("/keys", json.dumps({"keys": [jwk_of(KEY, n="?")]}).encode()), "signature_wrong"),
    "deep nesting": (answer("/keys", b"[" * 100_000), "answer_unreadable"),
    "an endless body": (answer("/keys", b'{"keys": "' + b"x" * 3_000_000 + b'"}'), "too_large"),
    "a packed body": (encoded("gzip"), "answer_unreadable"),
    "a slow body": (lambda provider: provider.answers.update({"/token": drip}), "too_slow"),
    "an error": (answer("/token", b"no", 500), "provider_failed"),
    "an unknown client": (answer("/token", b'{"error": "invalid_client"}', 401), "client_refused"),
    "a code that it does not know": (answer("/token", b'{"error": "invalid_grant"}', 400), "code_refused"),
}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits, waits a moment."""
    monkeypatch.setattr("apps.core.outbound.client.SECONDS", 0.5)


def assert_refused(response: Any, client: Client, connection: Connection, reason: str) -> None:
    assert response.status_code == 403, response.content
    page = response.content.decode()
    assert str(REASONS[reason][0]) in page.replace("&#x27;", "'")
    assert reason in page
    assert "_auth_user_id" not in client.session
    assert not User.objects.filter(email__icontains="kim@").exists()
    [event] = AuditEvent.objects.filter(action="single_sign_on.refused")
    # One that nobody here began can be made up by anybody: it belongs to the platform's own chain.
    assert event.organization_id == (None if reason == "state_unknown" else connection.organization_id)
    assert readable([event])[0].params == {"reason": reason}
    assert not AuditEvent.objects.filter(action="account.signed_in").exists()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_signs_nobody_in_and_says_why(name: str, journey: Journey, connection: Connection) -> None:
    spoil, reason = BAD[name]
    spoil(journey.provider)
    # What it publishes is read before anybody is sent there; where an address leads is seen on connecting.
    if journey.provider.document and reason != "address_private":
        response = journey.client.post("/account/single-sign-on/", {"who": journey.who})
    else:
        response = journey.sign_in()
    assert_refused(response, journey.client, connection, reason)
    assert journey.provider.asked.get("/inner") is None, "no redirect was followed"


def test_the_same_way_without_a_spoiled_answer_signs_in(journey: Journey) -> None:
    """Guards the tests above."""
    journey.sign_in()
    assert journey.is_in


def test_there_are_as_many_bad_answers_as_were_promised() -> None:
    assert len(BAD) >= 20


# --- The way back


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"state": "made-up"}, "state_unknown"),
        ({"state": ""}, "state_unknown"),
        ({"iss": "https://evil.example"}, "issuer_wrong"),
        ({"code": "made-up"}, "code_refused"),
    ],
)
def test_a_way_back_that_does_not_fit_signs_nobody_in(
    query: dict[str, str], reason: str, journey: Journey, connection: Connection
) -> None:
    assert_refused(journey.come_back(journey.begin(), **query), journey.client, connection, reason)


@pytest.mark.parametrize(("error", "reason"), [("access_denied", "cancelled"), ("server_error", "provider_refused")])
def test_the_provider_may_say_no(error: str, reason: str, journey: Journey, connection: Connection) -> None:
    asked = journey.begin()
    path = re.sub(r"^https?://[^/]+", "", asked["redirect_uri"])
    response = journey.client.get(path, {"error": error, "state": asked["state"]})
    assert_refused(response, journey.client, connection, reason)


def test_another_browser_cannot_end_a_sign_in_that_this_one_began(journey: Journey, connection: Connection) -> None:
    """Whoever gets somebody to open a link must not sign them in as themselves."""
    asked = journey.begin()
    stolen = Journey(journey.provider)
    assert_refused(stolen.come_back(asked), stolen.client, connection, "state_unknown")


def test_a_way_back_is_gone_once(journey: Journey, connection: Connection) -> None:
    asked = journey.begin()
    journey.come_back(asked)
    assert journey.is_in
    journey.client.logout()
    response = journey.come_back(asked)
    assert response.context["refusal"].code == "state_unknown"
    assert not journey.is_in


def test_a_switched_off_connection_has_no_way_back(journey: Journey, connection: Connection) -> None:
    asked = journey.begin()
    Connection.objects.filter(pk=connection.pk).update(is_enabled=False)
    assert journey.come_back(asked).status_code == 404
    assert not journey.is_in


def test_beginning_is_slowed_down_for_one_caller(journey: Journey, settings: Any) -> None:
    settings.RATE_SINGLE_SIGN_ON = "2/m/ip"
    statuses = [Client().post("/account/single-sign-on/", {"who": "acme"}).status_code for _number in range(3)]
    assert statuses == [200, 200, 429]
