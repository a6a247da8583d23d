"""Hints to sockets, and the tickets that open them."""

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings as django_settings
from django.core.cache import cache

from apps.core.identity import Actor, Via
from apps.core.realtime import group_name, publish, tickets
from apps.core.testing import Cast, SocketClient
from tests.factories.organizations import MembershipFactory

publisher = importlib.import_module("apps.core.realtime.publisher")


class Listener(AsyncJsonWebsocketConsumer):
    """Joins the group that its address names, and passes hints on."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(self.scope["path"].strip("/"), self.channel_name)
        await self.accept()

    async def test_hint(self, message: dict[str, Any]) -> None:
        await self.send_json(message["data"])


async def test_a_message_published_by_synchronous_code_reaches_every_socket_of_the_group_in_order() -> None:
    group, other = group_name("test", uuid4()), group_name("test", uuid4())
    listeners = [SocketClient(Listener.as_asgi(), f"/{name}/") for name in (group, group, other)]
    for listener in listeners:
        assert await listener.connect()
    for number in range(20):
        await asyncio.to_thread(publish, group, {"type": "test.hint", "data": {"n": number}})
    for listener in listeners[:2]:
        assert [(await listener.receive_json())["n"] for _number in range(20)] == list(range(20))
    assert await listeners[2].receive_nothing(timeout=0.05)
    for listener in listeners:
        await listener.disconnect()


def test_publishing_survives_a_layer_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(publisher, "get_channel_layer", Away)
    future = asyncio.run_coroutine_threadsafe(publisher._send("test.1", {"type": "x"}), publisher._running_loop())
    assert future.result(timeout=10) is None
    assert "hint to test.1 not sent" in caplog.text


def test_the_layer_is_the_one_that_loses_no_socket() -> None:
    assert type(get_channel_layer()).__name__ == "RedisPubSubChannelLayer"


def test_a_ticket_stands_for_its_person_once(cast: Cast) -> None:
    ticket = cast.owner.rest.post("/ws-tickets").json()["ticket"]
    redeemed = tickets.redeem(ticket, request_id="r1")
    assert redeemed is not None
    actor = redeemed.actor
    assert (actor.user_id, actor.via, actor.organization_id) == (
        cast.owner.user.pk,
        Via.SOCKET,
        cast.owner.organization_id,
    )
    assert tickets.redeem(ticket) is None


def test_of_many_redeeming_at_once_one_gets_the_actor(cast: Cast) -> None:
    ticket = tickets.issue(cast.owner.actor)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: bool(cache.delete(tickets.cache_key(ticket))), range(8)))
    assert sum(found) == 1


def test_a_ticket_ends_with_its_time_its_person_and_their_tokens(cast: Cast) -> None:
    assert tickets.redeem("unknown") is None
    user = cast.owner.user
    ticket = tickets.issue(cast.owner.actor)
    lifetime = cache._cache.get_client(None).ttl(cache.make_key(tickets.cache_key(ticket)))  # type: ignore[attr-defined]
    assert 0 < lifetime <= django_settings.WS_TICKET_LIFETIME_SECONDS
    type(user)._default_manager.filter(pk=user.pk).update(token_generation=5)
    assert tickets.redeem(ticket) is None
    user.refresh_from_db()
    ticket = tickets.issue(cast.owner.actor)
    type(user)._default_manager.filter(pk=user.pk).update(is_active=False)
    assert tickets.redeem(ticket) is None


def test_who_reads_the_cache_learns_no_session(cast: Cast) -> None:
    assert cast.owner.portal.get("/").status_code == 200
    ticket = cast.owner.portal.post("/api/v1/ws-tickets").json()["ticket"]
    session_key = cast.owner.portal.cookies["sessionid"].value
    content = cache.get(tickets.cache_key(ticket))
    assert content["session"] and session_key not in str(content)
    redeemed = tickets.redeem(ticket)
    assert redeemed is not None and redeemed.session is not None
    assert redeemed.session.session_key == session_key


def test_a_ticket_got_with_a_token_is_as_narrow_as_the_token(cast: Cast) -> None:
    second = MembershipFactory(user=cast.owner.user)
    wide = cast.owner.actor
    narrow = Actor.of(cast.owner.user, organization_id=cast.owner.organization_id, narrow=True, via=Via.TOKEN)
    for actor, expected in (
        (wide, {cast.owner.organization_id, second.organization_id}),
        (narrow, {cast.owner.organization_id}),
    ):
        redeemed = tickets.redeem(tickets.issue(actor))
        assert redeemed is not None
        assert redeemed.actor.memberships.keys() == expected
