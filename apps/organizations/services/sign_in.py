"""Tokens for programs, and notes of people's sign-ins.

An access token (JWT, 15 minutes) says who and which organization was chosen; the role in it is for display, rights
are read afresh. A refresh token is random, stored as a digest, used once; using one twice ends its whole family.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import jwt
from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import RefreshToken, User
from apps.accounts.services import lockout, sessions, verification
from apps.core import auditing
from apps.core.api.authentication import ALGORITHM, AUDIENCE, ISSUER
from apps.core.auditing import Personal
from apps.core.entities import uuid7
from apps.core.errors import Forbidden, NotAuthenticated, NotFound
from apps.core.identity import Actor, Via, refuse_without_factor
from apps.core.operations import operation


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    organization_id: UUID | None
    role: str | None


def password_user(request: HttpRequest, *, email: str, password: str) -> User:
    """The person whom address and password prove, which is not enough for those who have a second factor
    (`factors.demand`). Raises the same error for every reason why not."""
    ip = request.META.get("REMOTE_ADDR")
    lockout.attempt(email, ip)
    user = authenticate(request, email=email.strip().lower(), password=password)
    if user is None:
        raise NotAuthenticated(verification.REFUSED, code="sign_in_failed", hint=verification.REFUSED_HINT)
    lockout.forget(email, ip)
    return user


@operation("organizations.token_issue")
def token_issue(*, actor: Actor, organization_id: UUID | None = None) -> TokenPair:
    """A token pair for the actor, who has just proven who they are, in one of their organizations."""
    if actor.user is None:
        raise NotAuthenticated(_("Sign in first."))
    refuse_without_factor(actor, organization_id or actor.organization_id)
    if organization_id is not None and organization_id not in actor.memberships:
        raise NotFound()
    if not _lock_person(actor.user):
        raise NotAuthenticated(_("Sign in first."))
    chosen = organization_id or actor.organization_id
    pair = _issue(actor, actor.user, chosen, family=uuid7())
    _note(actor, actions.TOKEN_ISSUED, chosen)
    return pair


def token_refresh(*, refresh: str, request_id: str = "", ip: str | None = None, user_agent: str = "") -> TokenPair:
    """A new pair for a refresh token, which is spent by it. Raises `NotAuthenticated`."""
    found = RefreshToken.objects.select_related("user").filter(digest=_digest(refresh)).first()
    if found is not None and found.user.is_active:
        actor = Actor.of(
            found.user,
            organization_id=found.organization_id,
            via=Via.TOKEN,
            request_id=request_id,
            ip=ip,
            user_agent=user_agent,
        )
        if found.is_live():
            refuse_without_factor(actor, found.organization_id)
        pair = _exchange(actor, found)
        if pair is not None:
            return pair
    raise NotAuthenticated(_("The refresh token is not valid."), code="token_invalid")


@transaction.atomic
def _exchange(actor: Actor, found: RefreshToken) -> TokenPair | None:
    """Spends the token, or ends its family when it was spent before: then somebody holds a copy."""
    if not _lock_person(found.user):
        return None
    # The lock lets a second use of the token see what the first one has made.
    token = RefreshToken.objects.select_for_update().get(pk=found.pk)
    if token.used_at is not None:
        _end_family(actor=actor, family=token.family)
        return None
    if not token.is_live() or (token.organization_id and token.organization_id not in actor.memberships):
        return None
    token.used_at = timezone.now()
    token.save(update_fields=["used_at", "updated_at"])
    return _refreshed(actor=actor, organization_id=token.organization_id, family=token.family)


@operation("organizations.token_refresh")
def _refreshed(*, actor: Actor, organization_id: UUID | None, family: UUID) -> TokenPair:
    assert actor.user is not None
    _note(actor, actions.TOKEN_ISSUED, organization_id)
    return _issue(actor, actor.user, organization_id, family=family)


@operation("organizations.token_revoke_family")
def _end_family(*, actor: Actor, family: UUID) -> None:
    assert actor.user is not None
    # A refresh at the same moment either comes first, and its new token ends too, or finds its token ended.
    _lock_person(actor.user)
    RefreshToken.objects.filter(family=family, revoked_at__isnull=True).update(revoked_at=timezone.now())
    _note(actor, actions.TOKENS_REVOKED, actor.organization_id)


def token_revoke(*, actor: Actor, refresh: str) -> None:
    """Ends the family of the actor's refresh token; an unknown token is no error."""
    token = RefreshToken.objects.filter(digest=_digest(refresh), user=actor.user_id).first()
    if token is not None:
        _end_family(actor=actor, family=token.family)


@operation("organizations.tokens_end")
def tokens_end(*, actor: Actor, user: User, keep_session: str | None = None) -> None:
    """Ends every token and, but for `keep_session`, every session of a person, as a changed password does. For
    themselves and platform administrators."""
    if not (actor.user_id == user.pk or actor.is_platform):
        raise Forbidden(_("You may not end other people's tokens."))
    sessions.end_everything(user, keep_session=keep_session)
    auditing.record(
        actor,
        actions.TOKENS_REVOKED,
        user,
        organization_id=actor.organization_id,
        name=Personal(user.name, user.pk),
    )


@operation("organizations.signed_in_note")
def signed_in_note(*, actor: Actor) -> None:
    """The sign-in itself is allauth's; this notes it."""
    _note(actor, actions.SIGNED_IN, actor.organization_id)


@operation("organizations.signed_out_note")
def signed_out_note(*, actor: Actor) -> None:
    _note(actor, actions.SIGNED_OUT, actor.organization_id)


@operation("organizations.sign_in_failed_note")
def sign_in_failed_note(*, actor: Actor) -> None:
    """A failed sign-in belongs to no organization and names nobody: the address may be a mistyped password."""
    auditing.record(actor, actions.SIGN_IN_FAILED, None)


def _lock_person(user: User) -> bool:
    """Whether the person's sign-ins still count as they did when `user` was read.

    A change of the password waits, or is waited for: it ends every token that was issued before it. Locked ahead of
    any token, as `tokens_end` does.
    """
    now = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    return now.is_active and now.token_generation == user.token_generation


def _issue(actor: Actor, user: User, organization_id: UUID | None, *, family: UUID) -> TokenPair:
    now = timezone.now()
    lifetime = settings.ACCESS_TOKEN_LIFETIME_SECONDS
    role = actor.memberships.get(organization_id) if organization_id else None
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.pk),
        "jti": uuid7().hex,
        "typ": "access",
        "gen": user.token_generation,
        "fam": str(family),
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int(now.timestamp()) + lifetime,
        "email": user.email,
        "role": role.value if role else None,
        "organization_id": str(organization_id) if organization_id else None,
    }
    refresh = f"myr_{secrets.token_urlsafe(32)}"
    RefreshToken.objects.create(
        user=user,
        family=family,
        digest=_digest(refresh),
        organization_id=organization_id,
        ip=actor.ip,
        user_agent=actor.user_agent,
        expires_at=now + timedelta(seconds=settings.REFRESH_TOKEN_LIFETIME_SECONDS),
    )
    access = jwt.encode(claims, settings.SECRET_KEY, algorithm=ALGORITHM)
    return TokenPair(access, refresh, lifetime, organization_id, role.value if role else None)


def _note(actor: Actor, action: str, organization_id: UUID | None) -> None:
    user = actor.user
    name = Personal(user.name, user.pk) if user else ""
    auditing.record(actor, action, user, organization_id=organization_id, name=name)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
