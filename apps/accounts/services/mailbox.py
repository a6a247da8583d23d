"""What somebody asks for in the name of an address: a new account, a new password.

The request writes it down, sealed, and answers; a worker looks the address up and mails. So neither an answer nor the
time that it takes tells who has an account here: that is for the mailbox alone to know.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from allauth.core.context import request_context
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import translation

from apps.core import ciphers, outbox
from apps.core.identity import Actor

# A mailbox is not filled by others: for one address and wish as often as this, known or not.
MAILS = 5
MAILS_SECONDS = 3600


class StandIn(HttpRequest):
    """Stands for the request that asked where allauth wants one: links in mails are built on its host."""

    def __init__(self, scheme: str, host: str) -> None:
        super().__init__()
        self._origin = (scheme, host)

    def _get_scheme(self) -> str:
        return self._origin[0]

    def get_host(self) -> str:
        return self._origin[1]


@dataclass(frozen=True, slots=True)
class Asked:
    email: str
    facts: dict[str, str]
    actor: Actor
    request: HttpRequest


def ask(*, topic: str, request: HttpRequest, email: str, **facts: str) -> None:
    """Has the outbox's handler of the topic look into it. Beyond a handful an hour for an address nothing, silently."""
    if _may_mail(topic, email):
        write_down(topic=topic, request=request, email=email, **facts)


def write_down(*, topic: str, request: HttpRequest, email: str, **facts: str) -> None:
    """The same without a limit: the handler has its own."""
    origin = urlsplit(settings.PUBLIC_URL) if settings.PUBLIC_URL else None
    asked = {
        "email": email,
        "facts": facts,
        "language": translation.get_language() or settings.LANGUAGE_CODE,
        "scheme": origin.scheme if origin else request.scheme,
        "host": origin.netloc if origin else request.get_host(),
        "request_id": getattr(request, "request_id", ""),
        "ip": request.META.get("REMOTE_ADDR"),
        "user_agent": request.META.get("HTTP_USER_AGENT", ""),
    }
    outbox.put(topic, {"sealed": ciphers.encrypt(json.dumps(asked), topic)})


@contextmanager
def asked(topic: str, payload: dict[str, Any]) -> Iterator[Asked]:
    """What a message of the topic holds; the language is the asker's while the block runs."""
    found = json.loads(ciphers.decrypt(payload["sealed"], topic))
    actor = Actor.anonymous(request_id=found["request_id"], ip=found["ip"], user_agent=found["user_agent"])
    request = StandIn(found["scheme"], found["host"])
    with translation.override(found["language"]), request_context(request):
        yield Asked(found["email"], found["facts"], actor, request)


def _may_mail(topic: str, email: str) -> bool:
    key = f"mails:{sha256(f'{topic}|{email}'.encode()).hexdigest()}"
    cache.add(key, 0, MAILS_SECONDS)
    try:
        return int(cache.incr(key)) <= MAILS
    except ValueError:  # it ran out between the two
        cache.set(key, 1, MAILS_SECONDS)
        return True
