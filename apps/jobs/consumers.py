"""The live socket of a job (docs/architecture/live-protocol.md).

Subscribed first, then told where the cursor stands: what happens in between arrives as a hint, so nothing is missed.
The right to see the job is asked on connecting and again every few seconds; losing it closes the socket.
"""

import asyncio
import json
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.utils import translation
from rest_framework.exceptions import AuthenticationFailed

from apps.core import policy
from apps.core.api.authentication import actor_of_token
from apps.core.entities import uuid7
from apps.core.identity import Actor, Via
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.realtime import group_name, tickets
from apps.jobs.models import Job
from apps.jobs.selectors import summary

PROTOCOL = "modelyard.v1"
TICKET = "modelyard.ticket."
MAX_FRAME = 1024
RECHECK_SECONDS = 4.0


class Close(Exception):
    """The socket is refused or ended with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class JobConsumer(AsyncWebsocketConsumer):
    """One socket on one job. `permission` and `job_of` name what the kind's own rule is asked about."""

    actor: Actor
    job_id: Any
    group: str = ""
    may_change = False
    _watch: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        protocols = self.scope.get("subprotocols", [])
        # Accepted before it is refused, so that browsers learn the code.
        await self.accept(PROTOCOL if PROTOCOL in protocols else None)
        try:
            self.actor = await database_sync_to_async(self._authenticate)(protocols)
            self.scope["language"] = self._language()
            self.job_id = self.scope["url_route"]["kwargs"]["pk"]
            self.group = group_name("job", self.job_id)
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self._send({"type": "hello", **await database_sync_to_async(self._look)()})
        except Close as refusal:
            await self.close(refusal.code)
            return
        self._watch = asyncio.create_task(self._recheck())

    async def disconnect(self, code: int) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MAX_FRAME:
            await self.close(4400)
            return
        try:
            frame = json.loads(text_data)
        except ValueError:
            frame = None
        if not isinstance(frame, dict) or frame.get("type") != "ping":
            await self.close(4400)
            return
        await self._send({"type": "pong", "event_seq": await database_sync_to_async(self._event_seq)()})

    async def job_hint(self, message: dict[str, Any]) -> None:
        """A hint from the job's group, worded for this reader."""
        job = dict(message["job"].get(self.scope["language"]) or message["job"]["en"])
        if not self.may_change:
            job["capabilities"] = dict.fromkeys(job["capabilities"], False)
        frame = {"type": "hint", "from": message["from"], "to": message["to"], "job": job}
        if message.get("events") is not None:
            frame["events"] = message["events"]
        await self._send(frame)

    async def _recheck(self) -> None:
        """Rights change while a socket is open: roles, memberships, tokens, the project's trash."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await database_sync_to_async(self._look)()
            except Close:
                await self.close(4403)
                return

    def _authenticate(self, protocols: list[str]) -> Actor:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        context = {
            "request_id": uuid7().hex,
            "ip": (self.scope.get("client") or [None])[0],
            "user_agent": headers.get("user-agent", ""),
        }
        ticket = next((name.removeprefix(TICKET) for name in protocols if name.startswith(TICKET)), None)
        if ticket is not None:
            actor = tickets.redeem(ticket, **context)
            if actor is None:
                raise Close(4408)
            return actor
        scheme, _space, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            try:
                return actor_of_token(token.strip(), via=Via.SOCKET, **context)
            except AuthenticationFailed as error:
                raise Close(4401) from error
        return self._session_actor(headers, context)

    def _session_actor(self, headers: dict[str, str], context: dict[str, Any]) -> Actor:
        """A browser: its session, and a page of this portal as origin (a cookie alone proves no intent)."""
        origin = urlsplit(headers.get("origin", ""))
        trusted = {urlsplit(found).netloc for found in settings.CSRF_TRUSTED_ORIGINS}
        if not origin.netloc or origin.netloc not in {headers.get("host", ""), *trusted}:
            raise Close(4401)
        session = self.scope["session"]
        user = get_user(type("SessionRequest", (), {"session": session, "META": {}})())
        if not user.is_authenticated:
            raise Close(4401)
        chosen = session.get(CHOSEN_ORGANIZATION)
        return Actor.of(user, organization_id=chosen, via=Via.SOCKET, **context)

    def _language(self) -> str:
        """The language of the person's pages: the cookie, else the profile."""
        headers = dict(self.scope["headers"])
        cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.LANGUAGE_COOKIE_NAME)
        wanted = cookie.value if cookie else self.actor.user.language if self.actor.user else "en"
        return wanted if wanted in dict(settings.LANGUAGES) else "en"

    def _look(self) -> dict[str, Any]:
        """Asks for the right, with roles read afresh, and says where the job stands."""
        user = self.actor.user
        assert user is not None
        user.refresh_from_db(fields=["is_active", "token_generation", "is_superuser"])
        if not user.is_active:
            raise Close(4401)
        fresh = self.actor.refreshed()
        job = Job.objects.visible(fresh).filter(pk=self.job_id).first()
        if job is None:
            raise Close(4404)
        self.may_change = policy.allows(fresh, "jobs.change_job", job)
        with translation.override(self.scope["language"]):
            return {"event_seq": job.event_seq, "job": summary(job, may_change=self.may_change)}

    def _event_seq(self) -> int:
        return Job.objects.values_list("event_seq", flat=True).get(pk=self.job_id)

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, separators=(",", ":")))
