"""One-time tickets: how a program that cannot set headers opens a socket."""

import secrets
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache

from apps.core.identity import Actor, Via, Vouched, key_of_id

PREFIX = "ws-ticket:"


def issue(actor: Actor) -> str:
    """A ticket that stands for the actor once, within `WS_TICKET_LIFETIME_SECONDS`."""
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
    }
    cache.set(cache_key(ticket), content, timeout=settings.WS_TICKET_LIFETIME_SECONDS)
    return ticket


def redeem(ticket: str, **context: Any) -> Actor | None:
    """The ticket's actor, or None when it is unknown, spent, too old, or its person's tokens or its API
    key were revoked."""
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
    organization_id = UUID(content["organization_id"]) if content["organization_id"] else None
    family = UUID(content["family"]) if content["family"] else None
    return Actor.of(
        user,
        organization_id=organization_id,
        narrow=content["narrow"],
        via=Via.SOCKET,
        key=key,
        family=family,
        vouched=Vouched.of(content["vouched"]),
        **context,
    )


def cache_key(ticket: str) -> str:
    """Who reads the cache learns no ticket."""
    return PREFIX + sha256(ticket.encode()).hexdigest()
