"""Second factors of people who sign in as programs; the portal's pages are allauth's.

A program that has proven the password gets a challenge instead of tokens: signed, good for five minutes and for one
success. With it and a code (of an authenticator app, or a recovery code) it gets its tokens. Wrong codes are counted
for the person, whoever sends them: who gets this far knows the password.
"""

import secrets
from dataclasses import dataclass
from uuid import UUID

from allauth.mfa.base.forms import BaseAuthenticateForm
from allauth.mfa.models import Authenticator
from django.core import signing
from django.core.cache import cache
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import SECOND_FACTORS, User
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import NotAuthenticated, TooManyRequests
from apps.core.identity import Actor
from apps.core.operations import operation

CHALLENGE_SECONDS = 300
SALT = "accounts.second-factor"
SPENT = "second-factor-spent:"
LIMITED = {"too_many_login_attempts", "rate_limited"}


@dataclass(frozen=True, slots=True)
class Proven:
    """Who passed a challenge, and the organization that they asked for."""

    user: User
    organization_id: UUID | None


def has_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=SECOND_FACTORS).exists()


def demand(user: User, organization_id: UUID | None = None) -> None:
    """Raises `NotAuthenticated` (`mfa_required`) with a challenge when the person has a second factor."""
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    if not kinds & set(SECOND_FACTORS):
        return
    challenge = {
        "user": str(user.pk),
        "generation": user.token_generation,
        "organization": str(organization_id) if organization_id else None,
        "nonce": secrets.token_urlsafe(12),
    }
    raise NotAuthenticated(
        _("This account signs in with a second factor."),
        code="mfa_required",
        hint=_("Send the challenge with a code of the authenticator app, or a recovery code."),
        params={
            "challenge": signing.dumps(challenge, salt=SALT),
            "expires_in": CHALLENGE_SECONDS,
            # A passkey answers a page, not a program.
            "methods": sorted(kinds - {Authenticator.Type.WEBAUTHN}),
        },
    )


def passed(*, challenge: str, code: str) -> Proven:
    """Who the challenge is for, if the code is theirs.

    Raises `NotAuthenticated`, or `TooManyRequests` after wrong codes.
    """
    content = _opened(challenge)
    user = User.objects.active().filter(pk=content["user"], token_generation=content["generation"]).first()
    spent = SPENT + content["nonce"]
    if user is None or cache.get(spent):
        raise _stale()
    form = BaseAuthenticateForm({"code": code}, user=user)
    if not form.is_valid():
        if {error.code for error in form.errors.as_data().get("code", [])} & LIMITED:
            raise TooManyRequests(_("Too many wrong codes. Try again in a few minutes."), code="too_many_attempts")
        raise NotAuthenticated(_("The code is wrong, or it was used before."), code="mfa_failed")
    # Two at once with two good codes: the challenge is spent by the first.
    if not cache.add(spent, 1, CHALLENGE_SECONDS):
        raise _stale()
    form.authenticator.record_usage()
    return Proven(user, UUID(content["organization"]) if content["organization"] else None)


def _opened(challenge: str) -> dict[str, str]:
    try:
        content: dict[str, str] = signing.loads(challenge, salt=SALT, max_age=CHALLENGE_SECONDS)
    except signing.BadSignature as error:
        raise _stale() from error
    return content


def _stale() -> NotAuthenticated:
    return NotAuthenticated(
        _("The challenge is not valid any more."), code="challenge_invalid", hint=_("Sign in with the password again.")
    )


@operation("accounts.factor_note")
def factor_note(*, actor: Actor, action: str, user: User, kind: str) -> None:
    """Notes what allauth has done with a second factor of the person."""
    assert action in actions.OF_FACTORS
    auditing.record(
        actor,
        action,
        user,
        organization_id=actor.organization_id,
        name=Personal(user.name, user.pk),
        params={"kind": kind},
    )
