"""A provider on loopback of which a test may spoil every answer, and the way through it as a browser goes."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from tests.factories.singlesignon import CLIENT_ID, CLIENT_SECRET

KID = "key-1"
#: Two keys for the whole run: making one takes a while.
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Answer = Callable[[BaseHTTPRequestHandler], None]


def jwk_of(key: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**found, "kid": KID, "use": "sig", "alg": "RS256", **more}


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@dataclass
class FakeProvider:
    """`person` is who signs in there, as claims; what is put into the other fields changes the answers."""

    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "person-1", "email": "kim@acme.example", "email_verified": True}
    )
    #: Over what an ID token says; a value of None leaves the claim out.
    claims: dict[str, Any] = field(default_factory=dict)
    #: Over what the discovery document says.
    document: dict[str, Any] = field(default_factory=dict)
    #: Path → what answers there instead.
    answers: dict[str, Answer] = field(default_factory=dict)
    #: Path → how often it was asked.
    asked: dict[str, int] = field(default_factory=dict)
    #: Makes the ID token of its claims.
    signed: Callable[[dict[str, Any]], Any] = lambda claims: jwt.encode(claims, KEY, "RS256", headers={"kid": KID})
    #: What the user endpoint says; empty: there is none.
    userinfo: dict[str, Any] = field(default_factory=dict)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def start(self) -> "FakeProvider":
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._answer(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def grant(self, asked: dict[str, str]) -> str:
        """What happens on the provider's own pages: the person signs in there, and a code is made."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return code

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.asked[path] = self.asked.get(path, 0) + 1
        usual = {
            "/.well-known/openid-configuration": self._document,
            "/keys": self._keys,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        try:
            (self.answers.get(path) or usual[path])(handler)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the portal has heard enough

    def _document(self, handler: BaseHTTPRequestHandler) -> None:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        if self.userinfo:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        say(handler, json.dumps({**found, **self.document}).encode())

    def _keys(self, handler: BaseHTTPRequestHandler) -> None:
        say(handler, json.dumps({"keys": [jwk_of(KEY)]}).encode())

    def _userinfo(self, handler: BaseHTTPRequestHandler) -> None:
        is_known = handler.headers.get("Authorization") == "Bearer of-no-use-to-anybody"
        say(handler, json.dumps(self.userinfo).encode(), 200 if is_known else 401)

    def _token(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        form = dict(parse_qsl(handler.rfile.read(length).decode()))
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return say(handler, b'{"error": "invalid_client"}', 401)
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = asked and asked["code_challenge"] == challenge and asked["redirect_uri"] == form["redirect_uri"]
        if asked is None or not is_right:
            return say(handler, b'{"error": "invalid_grant"}', 400)
        token = self.signed(self._claims(asked["nonce"]))
        answer = {"access_token": "of-no-use-to-anybody", "token_type": "Bearer", "id_token": token}
        say(handler, json.dumps(answer).encode())

    def _claims(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        return {name: value for name, value in {**usual, **self.person, **self.claims}.items() if value is not None}


@dataclass
class Journey:
    """One person's way, as their browser goes it."""

    provider: FakeProvider
    client: Client = field(default_factory=Client)
    who: str = "kim@acme.example"

    def begin(self, **more: str) -> dict[str, str]:
        """The page that leads to the provider; what the provider is asked."""
        page = self.client.post("/account/single-sign-on/", {"who": self.who, **more})
        assert page.status_code == 200, page.content
        target = page.context["target"]
        assert target.startswith(f"{self.provider.issuer}/authorize?")
        return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}

    def come_back(self, asked: dict[str, str], **query: str) -> Any:
        """By the address that the provider was told."""
        path = urlsplit(asked["redirect_uri"]).path
        found = {"code": self.provider.grant(asked), "state": asked["state"], **query}
        return self.client.get(path, found)

    def sign_in(self, **more: str) -> Any:
        return self.come_back(self.begin(**more))

    @property
    def is_in(self) -> bool:
        return "_auth_user_id" in self.client.session
