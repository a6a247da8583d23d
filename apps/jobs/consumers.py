"""The live socket of a job (docs/architecture/live-protocol.md).

Subscribed first, then told where the cursor stands: what happens in between arrives as a hint, so nothing is missed.
The right to see the job is asked on connecting and again every few seconds, once for all sockets of one reader; losing
it closes them.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.utils import translation
from rest_framework.exceptions import AuthenticationFailed

from apps.accounts.models import User
from apps.core import policy
from apps.core.api.authentication import SCHEMES, actor_of_token, with_family
from apps.core.entities import uuid7
from apps.core.identity import Actor, Via, Vouched
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.identity.sessions import is_signed_in
from apps.core.realtime import group_name, places, tickets
from apps.jobs.models import Job
from apps.jobs.selectors import summary
from apps.jobs.services.transitions import MAX_HINT_CHARACTERS, MAX_HINT_EVENTS

log = logging.getLogger(__name__)

Reader = tuple[str, str, str, bool, str, str, str]

PROTOCOL = "modelyard.v1"
TICKET = "modelyard.ticket."
MAX_FRAME = 1024
RECHECK_SECONDS = 4.0
# "Internal error": browsers connect again.
CANNOT_ASK = 1011
# As many sockets are open as the person, or the API key, may have at once.
CROWDED = 4429
# At most five hints per second for each socket; those in between are merged.
HINT_SECONDS = 0.2


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two hints as one, whichever came first; without events where they would not be all, or too many."""
    newest = max(second, first, key=lambda message: message["job"]["en"]["event_seq"])
    events = [*(first["events"] or []), *(second["events"] or [])]
    events.sort(key=lambda event: event["seq"])
    begin, end = min(first["from"], second["from"]), max(first["to"], second["to"])
    whole = len(events) == end - begin + 1 and len(events) <= MAX_HINT_EVENTS
    fits = whole and len(json.dumps(events)) <= MAX_HINT_CHARACTERS
    return {**newest, "from": begin, "to": end, "events": events if fits else None}


class Close(Exception):
    """The socket is refused or ended with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


_answers: dict[Reader, asyncio.Task[bool]] = {}


async def _shared(reader: Reader, ask: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    """The answer of `ask`, asked once for the sockets of a reader that wake at the same moment."""
    task = _answers.get(reader)
    if task is None:
        task = _answers[reader] = asyncio.create_task(ask())
        asyncio.get_running_loop().call_later(RECHECK_SECONDS / 2, _answers.pop, reader, None)
    # A socket that closes meanwhile takes nothing from the others.
    return await asyncio.shield(task)


class JobConsumer(AsyncWebsocketConsumer):
    """One socket on one job, whatever its kind: the rules asked are those of the job."""

    actor: Actor
    job_id: Any
    group: str = ""
    has_place = False
    may_change = False
    # Generation of the tokens by which a program came in; None for a browser, whose session counts.
    generation: int | None = None
    # The browser's, also one that asked for the ticket; None for a program.
    session: SessionBase | None = None
    _watch: asyncio.Task[None] | None = None
    _flush: asyncio.Task[None] | None = None
    _pending: dict[str, Any] | None = None
    _sent_at = 0.0

    async def connect(self) -> None:
        protocols = self.scope.get("subprotocols", [])
        # Accepted before it is refused, so that browsers learn the code.
        await self.accept(PROTOCOL if PROTOCOL in protocols else None)
        try:
            self.actor = await database_sync_to_async(self._authenticate)(protocols)
            self.has_place = await asyncio.to_thread(places.take, self.actor, self.channel_name)
            if not self.has_place:
                raise Close(CROWDED)
            self.scope["language"] = self._language()
            self.job_id = self.scope["url_route"]["kwargs"]["pk"]
            self.group = group_name("job", self.job_id)
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self._send({"type": "hello", **await database_sync_to_async(self._look)()})
        except Close as refusal:
            await self.close(refusal.code)
            return
        except Exception:  # noqa: BLE001 - whatever it is, it is logged and the page comes back
            await self._cannot_ask()
            return
        self._watch = asyncio.create_task(self._recheck())

    async def disconnect(self, code: int) -> None:
        for task in (self._watch, self._flush):
            if task is not None:
                task.cancel()
        if self.has_place:
            await asyncio.to_thread(places.release, self.actor, self.channel_name)
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MAX_FRAME:
            await self.close(4400)
            return
        try:
            frame = json.loads(text_data)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict) or frame.get("type") != "ping":
            await self.close(4400)
            return
        try:
            event_seq = await database_sync_to_async(self._event_seq)()
        except Exception:  # noqa: BLE001 - as above
            await self._cannot_ask()
            return
        await self._send({"type": "pong", "event_seq": event_seq})

    async def job_hint(self, message: dict[str, Any]) -> None:
        """A hint from the job's group: sent at once after a quiet while, else merged with the next ones."""
        self._pending = merged(self._pending, message) if self._pending else message
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._send_hint())

    async def _send_hint(self) -> None:
        await asyncio.sleep(max(0.0, self._sent_at + HINT_SECONDS - time.monotonic()))
        message, self._pending = self._pending, None
        self._sent_at = time.monotonic()
        if message is not None:
            await self._send(self._worded(message))

    def _worded(self, message: dict[str, Any]) -> dict[str, Any]:
        """The hint's frame for this reader: in the reader's language, with the buttons that the reader has."""
        job = dict(message["job"].get(self.scope["language"]) or message["job"]["en"])
        if not self.may_change:
            job["capabilities"] = dict.fromkeys(job["capabilities"], False)
        frame = {"type": "hint", "from": message["from"], "to": message["to"], "job": job}
        if message.get("events") is not None:
            frame["events"] = message["events"]
        return frame

    async def _recheck(self) -> None:
        """Rights change while a socket is open: roles, memberships, tokens, the project's trash."""
        reader, loop = self._reader(), asyncio.get_running_loop()
        # Sockets of one reader wake together and share the answer; those of different readers are spread.
        phase = hash(reader) % 1000 / 1000 * RECHECK_SECONDS
        renewed = loop.time()
        while True:
            await asyncio.sleep(RECHECK_SECONDS - (loop.time() + phase) % RECHECK_SECONDS)
            if loop.time() - renewed > places.RENEW_SECONDS:
                renewed = loop.time()
                await asyncio.to_thread(places.renew, self.actor, self.channel_name)
            try:
                self.may_change = await _shared(reader, database_sync_to_async(self._may_change))
            except Close:
                await self.close(4403)
                return
            except Exception:  # noqa: BLE001 - as above
                await self._cannot_ask()
                return

    async def _cannot_ask(self) -> None:
        """While an exception is handled: a right that cannot be asked for is none; the page comes back by itself."""
        log.exception("job %s could not be asked for", self.scope["url_route"]["kwargs"]["pk"])
        await self.close(CANNOT_ASK)

    def _reader(self) -> Reader:
        """What the answer about rights depends on: sockets that agree in it are of one reader."""
        proof = f"{self.generation} {self.session.session_key if self.session else None}"
        actor = self.actor
        organization, family = str(actor.organization_id), str(actor.family)
        key = f"{actor.key_id} {actor.vouched}"
        return str(self.job_id), str(actor.user_id), organization, actor.narrowed, proof, key, family

    def _authenticate(self, protocols: list[str]) -> Actor:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        context = {
            "request_id": uuid7().hex,
            "ip": (self.scope.get("client") or [None])[0],
            "user_agent": headers.get("user-agent", ""),
        }
        ticket = next((name.removeprefix(TICKET) for name in protocols if name.startswith(TICKET)), None)
        if ticket is not None:
            redeemed = tickets.redeem(ticket, **context)
            if redeemed is None or redeemed.actor.user is None:
                raise Close(4408)
            self.generation, self.session = redeemed.actor.user.token_generation, redeemed.session
            return redeemed.actor
        scheme, _space, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() in SCHEMES:
            try:
                actor = actor_of_token(token.strip(), via=Via.SOCKET, **context)
            except AuthenticationFailed as error:
                raise Close(4401) from error
            assert actor.user is not None
            self.generation = actor.user.token_generation
            return actor
        return self._session_actor(headers, context)

    def _session_actor(self, headers: dict[str, str], context: dict[str, Any]) -> Actor:
        """A browser: its session, and a page of this portal as origin (a cookie alone proves no intent)."""
        origin = urlsplit(headers.get("origin", ""))
        trusted = {urlsplit(found).netloc for found in settings.CSRF_TRUSTED_ORIGINS}
        if not origin.netloc or origin.netloc not in {headers.get("host", ""), *trusted}:
            raise Close(4401)
        session = self.session = self.scope["session"]
        user = get_user(type("SessionRequest", (), {"session": session, "META": {}})())
        if not user.is_authenticated:
            raise Close(4401)
        chosen = session.get(CHOSEN_ORGANIZATION)
        return Actor.of(
            user,
            organization_id=UUID(chosen) if chosen else None,
            via=Via.SOCKET,
            vouched=Vouched.of_session(session),
            **context,
        )

    def _language(self) -> str:
        """The language of the person's pages: the cookie, else the profile."""
        headers = dict(self.scope["headers"])
        cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.LANGUAGE_COOKIE_NAME)
        wanted = cookie.value if cookie else self.actor.user.language if self.actor.user else "en"
        return wanted if wanted in dict(settings.LANGUAGES) else "en"

    def _look(self) -> dict[str, Any]:
        """Asks for the right, and says where the job stands."""
        job, self.may_change = self._rights()
        with translation.override(self.scope["language"]):
            return {"event_seq": job.event_seq, "job": summary(job, may_change=self.may_change)}

    def _may_change(self) -> bool:
        return self._rights()[1]

    def _rights(self) -> tuple[Job, bool]:
        """The job and whether the reader may change it, with roles read afresh. Raises `Close`."""
        user = self.actor.user
        assert user is not None
        try:
            user.refresh_from_db(fields=["is_active", "token_generation", "is_superuser", "password"])
        except type(user).DoesNotExist as error:
            raise Close(4401) from error
        if not user.is_active or not self._is_signed_in():
            raise Close(4401)
        fresh = self.actor.refreshed()
        job = Job.objects.visible(fresh).filter(pk=self.job_id).first()
        if job is None:
            raise Close(4404)
        return job, policy.allows(fresh, "jobs.change_job", job)

    def _is_signed_in(self) -> bool:
        """Whether what let this socket in still counts: the session, the generation of the tokens; of a ticket that a
        browser asked for, both."""
        user = self.actor.user
        assert user is not None
        if self.generation is not None and (user.token_generation != self.generation or self._is_revoked()):
            return False
        return self.session is None or is_signed_in(self.session, user)

    def _is_revoked(self) -> bool:
        """Whether the sign-in that the token came from was ended."""
        family = self.actor.family
        if family is None:
            return False
        people = with_family(User.objects, family)  # permitted: the reader's own row
        return bool(people.filter(pk=self.actor.user_id, family_revoked=True).exists())

    def _event_seq(self) -> int:
        # Whether this job may be seen is asked on connecting, and again every few seconds.
        numbers = Job.objects.values_list("event_seq", flat=True)  # permitted: see above
        return numbers.get(pk=self.job_id)

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, separators=(",", ":")))
