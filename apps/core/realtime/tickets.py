"""One-time tickets: how a program that cannot set headers opens a socket."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import cache

from apps.core import ciphers
from apps.core.identity import Actor, Via, Vouched, key_of_id
from apps.core.identity.sessions import is_signed_in, session_of

PREFIX = "ws-ticket:"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whom a ticket stands for, and the browser's session that asked for it: what it opened ends with that."""

    actor: Actor
    session: SessionBase | None = None


def issue(actor: Actor, *, session_key: str | None = None) -> str:
    """A ticket that stands for the actor once, within `WS_TICKET_LIFETIME_SECONDS`. `session_key`: the session by
    which they ask, without which it opens nothing."""
    assert actor.user is not None
    ticket = secrets.token_urlsafe(32)
    content = {
        "user_id": str(actor.user_id),
        "organization_id": str(actor.organization_id) if actor.organization_id else None,
        "narrow": actor.narrowed,
        "generation": actor.user.token_generation,
        "key_id": str(actor.key_id) if actor.key_id else None,
        "family": str(actor.family) if actor.family else None,
        "vouched": actor.vouched.as_dict() if actor.vouched else None,
        "session": ciphers.encrypt(session_key, PREFIX) if session_key else None,
    }
    cache.set(cache_key(ticket), content, timeout=settings.WS_TICKET_LIFETIME_SECONDS)
    return ticket


def redeem(ticket: str, **context: Any) -> Redeemed | None:
    """Whom the ticket stands for, or None when it is unknown, spent, too old, or when its person's tokens, its API key
    or its session ended."""
    content = cache.get(cache_key(ticket))
    # Deleting answers whether it was there: of two at once only one gets the actor.
    if content is None or not cache.delete(cache_key(ticket)):
        return None
    user = get_user_model()._default_manager.filter(pk=content["user_id"], is_active=True).first()
    if user is None or user.token_generation != content["generation"]:
        return None
    key = key_of_id(UUID(content["key_id"])) if content["key_id"] else None
    if content["key_id"] and key is None:
        return None
    session = session_of(ciphers.decrypt(content["session"], PREFIX)) if content["session"] else None
    if session is not None and not is_signed_in(session, user):
        return None
    organization_id = UUID(content["organization_id"]) if content["organization_id"] else None
    family = UUID(content["family"]) if content["family"] else None
    actor = Actor.of(
        user,
        organization_id=organization_id,
        narrow=content["narrow"],
        via=Via.SOCKET,
        key=key,
        family=family,
        vouched=Vouched.of(content["vouched"]),
        **context,
    )
    return Redeemed(actor, session)


def cache_key(ticket: str) -> str:
    """Who reads the cache learns no ticket, and no key of a session."""
    return PREFIX + sha256(ticket.encode()).hexdigest()
