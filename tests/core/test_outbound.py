"""The guarded way out (bad-W…): where it goes, whom it believes, how much it takes."""

import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.core.exceptions import ImproperlyConfigured
from modelyard.settings import environment

from apps.core import outbound
from apps.core.outbound import OutboundError
from apps.core.outbound.origins import is_public
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "requests that go out")
Answer = Callable[[BaseHTTPRequestHandler], None]


class Canary:
    """A server on loopback that counts who comes."""

    def __init__(self) -> None:
        canary = self
        self.connections = 0
        self.answer: Answer = lambda handler: reply(handler, b"{}")

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                canary.connections += 1
                super().setup()

            def do_GET(self) -> None:
                canary.seen = dict(self.headers)
                try:
                    canary.answer(self)
                except OSError:
                    return  # the caller has heard enough

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.seen: dict[str, str] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def allowed(canary: Canary, settings: Any) -> Canary:
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", canary.port)})
    return canary


def refusal(url: str, **limits: Any) -> str:
    with pytest.raises(OutboundError) as caught, outbound.session(**limits) as session:
        session.get(url)
    return caught.value.code


# --- Where it goes


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",  # bad-W01
        "https://localhost/",  # bad-W02: also a name of this portal
        "https://[::1]/",  # bad-W03
        "https://0.0.0.0/",  # bad-W04
        "https://0177.0.0.1/",  # bad-W06
        "https://127.1/",  # bad-W07
        "https://2130706433/",
        "https://[::ffff:127.0.0.1]/",  # bad-W08
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://169.254.169.254/",  # bad-W09
        "https://10.0.0.1/",  # bad-W11
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",  # bad-W12
        "https://224.0.0.1/",
        "https://240.0.0.1/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "http://example.com/",
        "gopher://example.com/",  # bad-W19
        "ftp://example.com/",
        "file:///etc/passwd",
        "data:,x",
        "unix:///run/x",
        "https://user:pass@example.com/",  # bad-W20
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\r\nHost: inner",  # bad-W22
        "https://example.com:22/",  # bad-W23
        "https://example.com:5432/",
        "https://example.com:6379/",
        "https://example.com:99999/",
        "https://example.com./",  # bad-W31
        "https://testserver/",  # bad-W29: this portal
        "https:///nowhere",
        "https://example.com/" + "x" * 3000,
        "",
    ],
)
def test_addresses_that_are_not_called(url: str, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def connected(sock: socket.socket, address: Any) -> None:
        pytest.fail(f"{url!r} led to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", connected)
    assert refusal(url) in {"url_refused", "address_private", "host_unknown"}
    monkeypatch.setattr(socket.socket, "connect", real)
    assert canary.connections == 0


@pytest.mark.parametrize("also", [[], ["93.184.215.14"]])
def test_a_name_with_a_private_address_among_its_own_is_not_called(
    also: list[str], canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bad-W13; and a list in which a public address stands first."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, canary.port)) for host in [*also, "127.0.0.1"]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    assert refusal("https://inner.example/") == "address_private"
    assert canary.connections == 0


def test_a_name_is_resolved_once_so_that_it_cannot_turn_private_afterwards(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bad-W15: public when it is checked, this machine a moment later."""
    answers = [("198.41.0.4", canary.port), ("127.0.0.1", canary.port)]
    resolved, reached = [], []

    def resolve(*args: Any, **options: Any) -> Any:
        address = answers[min(len(resolved), 1)]
        resolved.append(address)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]

    def connect(sock: socket.socket, address: Any) -> None:
        reached.append(address)
        raise OSError("nobody is called in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    assert refusal("https://turning.example/") == "unreachable"
    assert resolved == reached == [("198.41.0.4", canary.port)]


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2001:4860:4860::8888", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True)]
    + [
        ("127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
        ("fec0::1", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_what_the_operator_names_is_called_and_its_neighbour_is_not(allowed: Canary) -> None:
    with outbound.session() as session:
        assert session.get(allowed.url).json() == {}
    assert refusal(f"http://127.0.0.1:{allowed.port + 1}/") == "url_refused"
    assert refusal(f"http://localhost:{allowed.port}/") == "url_refused"


def test_private_origins_are_read_from_the_environment_and_wrong_ones_stop_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORIGINS", "https://sign-in.internal, http://127.0.0.1:9000")
    assert environment.origins("ORIGINS") == {("https", "sign-in.internal", 443), ("http", "127.0.0.1", 9000)}
    for wrong in ("sign-in.internal", "ftp://host:21", "https://host/path", "https://host:port", "https://me@host"):
        monkeypatch.setenv("ORIGINS", wrong)
        with pytest.raises(ImproperlyConfigured, match="ORIGINS"):
            environment.origins("ORIGINS")


# --- How much it takes


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "file:///etc/passwd", "/", "//inner/", "::"])
def test_no_redirect_is_followed(target: str, allowed: Canary) -> None:
    """bad-W17, W18, W28."""
    allowed.answer = lambda handler: reply(handler, b"x" * 10_000_000, 302, Location=target)
    assert refusal(allowed.url) == "redirected"
    assert allowed.connections == 1


def test_a_long_body_is_not_read_to_its_end(allowed: Canary) -> None:
    """bad-W25."""
    sent = [0]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _number in range(10_000):
            sent[0] += handler.wfile.write(b"x" * 1_000_000)

    allowed.answer = endless
    assert refusal(allowed.url) == "too_large"
    assert sent[0] < 100_000_000


@pytest.mark.parametrize("part", ["head", "body", "nothing"])
def test_who_is_slow_is_not_waited_for(part: str, allowed: Canary) -> None:
    """bad-W26: each byte comes in time, all of them never."""
    over = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if part == "body":
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while part != "nothing" and not over.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()
        over.wait(5)

    allowed.answer = slow
    began = time.monotonic()
    assert refusal(allowed.url, seconds=0.4) == "too_slow"
    assert time.monotonic() - began < 3
    over.set()


def test_packed_answers_are_not_unpacked(allowed: Canary) -> None:
    """bad-W27."""
    bomb = gzip.compress(b"x" * 10_000_000)
    allowed.answer = lambda handler: reply(handler, bomb, Content_Encoding="gzip")
    assert refusal(allowed.url) == "answer_unreadable"
    assert allowed.seen["Accept-Encoding"] == "identity"


def test_a_body_that_breaks_off_is_no_answer(allowed: Canary) -> None:
    allowed.answer = lambda handler: reply(handler, b"half", Content_Length="8")
    assert refusal(allowed.url) == "unreachable"


def test_neither_proxies_nor_passwords_of_this_machine_go_along(
    allowed: Canary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    with outbound.session() as session:
        assert session.get(allowed.url).status_code == 200
    assert "Authorization" not in allowed.seen


# --- Whom it believes


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "canary")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(names, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    file = tmp_path / "canary.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    return file


def test_a_certificate_that_nobody_vouches_for_is_refused_until_the_operator_does(
    canary: Canary, certificate: Path, settings: Any
) -> None:
    """bad-W30."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    canary.server.socket = context.wrap_socket(canary.server.socket, server_side=True)
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("https", "127.0.0.1", canary.port)})
    url = canary.url.replace("http:", "https:")
    assert refusal(url) == "tls_failed"
    settings.OUTBOUND_CA_FILE = str(certificate)
    with outbound.session() as session:
        assert session.get(url).status_code == 200
