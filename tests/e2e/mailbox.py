"""A company's mail server: what the portal sends arrives over SMTP, from nobody who does not sign in."""

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

HOST, USER, PASSWORD = "127.0.0.1", "portal", "the-portal-sends-mail"
LINK = re.compile(r"https?://[^\s\"<>]+")
DELIVERY_SECONDS = 60


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
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        self._controller = Controller(
            self, HOST, self.port, authenticator=_known, auth_required=True, auth_require_tls=False
        )

    @property
    def environment(self) -> dict[str, str]:
        """What tells a portal to send its mail here."""
        names = {"EMAIL_HOST": HOST, "EMAIL_PORT": str(self.port), "EMAIL_USE_TLS": "false"}
        return names | {"EMAIL_HOST_USER": USER, "EMAIL_HOST_PASSWORD": PASSWORD}

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
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
            self.mails.append(Mail(envelope.rcpt_tos[0], str(parsed["subject"]), *_bodies(parsed)))
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

    def waiting(self, to: str) -> int:
        """How many mails to the address nobody has taken."""
        with self._arrived:
            return sum(mail.to == to and number not in self._taken for number, mail in enumerate(self.mails))

    def _next(self, to: str) -> Mail | None:
        for number, mail in enumerate(self.mails):
            if mail.to == to and number not in self._taken:
                self._taken.add(number)
                return mail
        return None

    def _subjects(self) -> list[str]:
        return [f"{mail.to}: {mail.subject}" for mail in self.mails]


def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
    good = isinstance(login, LoginPassword) and login == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


def _bodies(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None, "a mail without text"
    assert html is not None, "a mail without HTML"
    return text.get_content(), html.get_content()
