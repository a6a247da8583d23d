"""Where a person is signed in: browsers (sessions) and programs (families of refresh tokens), ended one by one or all.

What is ended is gone at once for pages and REST; open sockets notice within seconds.
"""

from datetime import timedelta
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import RefreshToken, User
from apps.accounts.selectors import Kind, SignIn, sign_ins_of
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import Invalid
from apps.core.identity import VOUCHED, Actor
from apps.core.operations import operation


@operation("accounts.sign_in_end", permission="accounts.change_user", on="user")
def sign_in_end(*, actor: Actor, user: User, sign_in: SignIn) -> None:
    """Ends one of the person's sign-ins."""
    _end(user, [sign_in])
    auditing.record(
        actor,
        actions.SESSION_REVOKED,
        user,
        organization_id=actor.organization_id,
        name=Personal(user.name, user.pk),
        params={"kind": sign_in.kind.value},
    )


@operation("accounts.sessions_end_others", permission="accounts.change_user", on="user")
def sessions_end_others(*, actor: Actor, user: User, session_key: str | None) -> int:
    """Ends every sign-in of the person but the one that asks: the session, or the actor's own family of tokens; by a
    sign-in of an organization's provider the others that this has opened. Returns how many."""
    if not session_key and actor.family is None:
        raise Invalid(_("It cannot be told which sign-in is to stay."), code="sign_in_unknown")
    _lock(user)
    # All of them, not only those that a page lists.
    every = sign_ins_of(user, session_key=session_key, family=actor.family, vouched=actor.vouched, at_most=None)
    others = [found for found in every if not found.is_current]
    _end(user, others)
    _note(actor, user, len(others))
    return len(others)


@operation("accounts.sessions_end_all", permission="accounts.change_user", on="user")
def sessions_end_all(*, actor: Actor, user: User) -> None:
    """Signs the person out everywhere, as platform administrators do for an account in wrong hands."""
    count = len(sign_ins_of(user, at_most=None))
    end_everything(user)
    _note(actor, user, count)


def end_everything(user: User, *, keep_session: str | None = None) -> None:
    """Part of operations: ends every token and, but for `keep_session`, every session."""
    user = _lock(user)
    user.change(token_generation=user.token_generation + 1)
    RefreshToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=timezone.now())
    sessions = UserSession.objects.filter(user=user).exclude(session_key=keep_session or "")
    Session.objects.filter(pk__in=sessions.values("session_key")).delete()
    sessions.delete()


def note_vouched(session_key: str, organization_id: UUID) -> None:
    """Notes by which organization's provider the session was opened."""
    UserSession.objects.filter(session_key=session_key).update(data={VOUCHED: str(organization_id)})


def end_vouched(organization_id: UUID, user: User | None = None) -> int:
    """Part of operations: ends the sessions that the organization's provider has opened, of everybody or of one person.
    Returns how many."""
    found = UserSession.objects.filter(**{f"data__{VOUCHED}": str(organization_id)})
    if user is not None:
        found = found.filter(user=user)
    count, _rows = Session.objects.filter(pk__in=found.values("session_key")).delete()
    found.delete()
    return count


def sweep() -> int:
    """Forgets sessions and refresh tokens that have expired. Returns how many rows it deleted."""
    now = timezone.now()
    expired, _rows = Session.objects.filter(expire_date__lt=now).delete()
    alive = Session.objects.filter(pk=OuterRef("session_key"))
    gone, _rows = UserSession.objects.filter(~Exists(alive)).delete()
    # An access token issued at the last moment still asks whether its family was ended.
    last = now - timedelta(seconds=settings.ACCESS_TOKEN_LIFETIME_SECONDS)
    spent, _rows = RefreshToken.objects.filter(expires_at__lt=last).delete()
    return expired + gone + spent


def _lock(user: User) -> User:
    """A refresh at the same moment either comes first, and its new token ends too, or finds its token ended."""
    return User.objects.select_for_update().get(pk=user.pk)


def _end(user: User, found: list[SignIn]) -> None:
    _lock(user)
    keys = [sign_in.session_key for sign_in in found if sign_in.kind == Kind.BROWSER]
    families = [sign_in.id for sign_in in found if sign_in.kind == Kind.PROGRAM]
    Session.objects.filter(pk__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    RefreshToken.objects.filter(family__in=families, revoked_at__isnull=True).update(revoked_at=timezone.now())


def _note(actor: Actor, user: User, count: int) -> None:
    auditing.record(
        actor,
        actions.SESSIONS_REVOKED,
        user,
        organization_id=actor.organization_id,
        name=Personal(user.name, user.pk),
        params={"count": count},
    )
