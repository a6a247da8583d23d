"""A company's mail server: what the portal sends arrives over SMTP and TLS, from nobody who does not sign in."""

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST, USER, PASSWORD = "127.0.0.1", "portal", "the-portal-sends-mail"
LINK = re.compile(r"https?://[^\s\"<>]+")
DELIVERY_SECONDS = 60
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived: both of its bodies."""

    to: str
    subject: str
    text: str
    html: str

    def link(self, part: str) -> str:
        """The address that holds `part`. It stands in the text and is the button of the HTML."""
        (found,) = {address for address in LINK.findall(self.text) if part in address}
        assert f'href="{found}"' in self.html
        return found


class Mailbox:
    """Runs the server in a thread; every mail is kept in `folder` too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mails: list[Mail] = []
        self._taken: set[int] = set()
        self._arrived = threading.Condition()
        self._trusted = folder.with_suffix(".pem")
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]

    @property
    def environment(self) -> dict[str, str]:
        """What tells a portal to send its mail here."""
        names = {"EMAIL_HOST": HOST, "EMAIL_PORT": str(self.port), "SSL_CERT_FILE": str(self._trusted)}
        return names | {"EMAIL_HOST_USER": USER, "EMAIL_HOST_PASSWORD": PASSWORD}

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        demands = {"tls_context": self._tls(), "require_starttls": True, "auth_required": True}
        self._controller = Controller(self, HOST, self.port, authenticator=_known, **demands)
        self._controller.start()

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # a server that never started
            self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = message_from_bytes(content, policy=policy.default)
        with self._arrived:
            (self.folder / f"{len(self.mails):04}.eml").write_bytes(content)
            # A long subject begins on the next line of the header, with a space that nobody sees.
            self.mails.append(Mail(envelope.rcpt_tos[0], str(parsed["subject"]).strip(), *_bodies(parsed)))
            self._arrived.notify_all()
        return "250 kept"

    def take(self, to: str, seconds: float = DELIVERY_SECONDS) -> Mail:
        """The next mail to the address, waited for; each is given once."""
        end = time.monotonic() + seconds
        with self._arrived:
            while (found := self._next(to)) is None:
                left = end - time.monotonic()
                assert left > 0, f"no mail to {to} in {seconds:.0f} s; there are {self._subjects()}"
                self._arrived.wait(left)
        return found

    def _next(self, to: str) -> Mail | None:
        for number, mail in enumerate(self.mails):
            if mail.to == to and number not in self._taken:
                self._taken.add(number)
                return mail
        return None

    def _subjects(self) -> list[str]:
        return [f"{mail.to}: {mail.subject}" for mail in self.mails]

    def _tls(self) -> ssl.SSLContext:
        """A certificate of its own, which the portal trusts beside those of the machine."""
        certificate, key = _certificate()
        own = self.folder.with_suffix(".key")
        own.write_bytes(certificate + key)
        known = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        self._trusted.write_bytes(certificate + (Path(known).read_bytes() if known else b""))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own)
        return context


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
    good = isinstance(login, LoginPassword) and login == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


def _bodies(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None, "a mail without text"
    assert html is not None, "a mail without HTML"
    return text.get_content(), html.get_content()
