"""Guessing of passwords is paused for the pair of address and caller: longer with every failure, and only there.

The person goes on signing in from elsewhere, and nobody learns from a pause whether the address is known: unknown
ones are counted alike.
"""

import ipaddress
from hashlib import sha256

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import User
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import TooManyRequests
from apps.core.identity import Actor
from apps.core.operations import operation

# Failures that cost nothing; from this one on each is followed by a pause.
FREE = 5
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 3600
# Failures are forgotten after a day without one.
MEMORY_SECONDS = 86400


def attempt(email: str, ip: str | None) -> None:
    """Counts an attempt before it is made, so that many at once are counted too.

    Raises `TooManyRequests` during a pause.
    """
    count, pause = _keys(email, ip)
    until = cache.get(pause)
    if until is not None:
        raise _paused(until)
    cache.add(count, 0, MEMORY_SECONDS)
    try:
        made = cache.incr(count)
    except ValueError:  # it ran out between the two
        cache.set(count, 1, MEMORY_SECONDS)
        made = 1
    if made < FREE:
        return
    cache.touch(count, MEMORY_SECONDS)
    seconds = pause_seconds(made)
    until = timezone.now().timestamp() + seconds
    # This one may still be tried; of several at once, one.
    if not cache.add(pause, until, seconds):
        raise _paused(cache.get(pause) or until)


def failed(actor: Actor, email: str, ip: str | None) -> None:
    """After a failure: notes the pause that now holds, if one does."""
    count, pause = _keys(email, ip)
    if cache.get(pause) is not None:
        made = int(cache.get(count) or FREE)
        sign_in_paused_note(actor=actor, email=email, failures=made, seconds=pause_seconds(made))


def forget(email: str, ip: str | None) -> None:
    """After a success."""
    cache.delete_many(_keys(email, ip))


def pause_seconds(failures: int) -> int:
    """30 seconds after the fifth failure, doubled by each further one, an hour at most."""
    return min(FIRST_PAUSE_SECONDS * 2 ** min(failures - FREE, 20), LONGEST_PAUSE_SECONDS)


@operation("accounts.sign_in_paused_note")
def sign_in_paused_note(*, actor: Actor, email: str, failures: int, seconds: int) -> None:
    """Belongs to no organization; names the person whose address it is, where there is one."""
    user = User.objects.filter(email=email.strip().lower()).first()
    auditing.record(
        actor,
        actions.SIGN_IN_PAUSED,
        user,
        name=Personal(user.name, user.pk) if user else "",
        params={"failures": failures, "seconds": seconds},
    )


def _keys(email: str, ip: str | None) -> tuple[str, str]:
    pair = sha256(f"{email.strip().lower()}|{_network(ip)}".encode()).hexdigest()
    return f"sign-in-failures:{pair}", f"sign-in-pause:{pair}"


def _network(ip: str | None) -> str:
    """The address; of IPv6 the /64, all of which one caller has."""
    try:
        found = ipaddress.ip_address(ip or "")
    except ValueError:
        return ip or ""
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _paused(until: float) -> TooManyRequests:
    seconds = max(1, round(until - timezone.now().timestamp()))
    return TooManyRequests(
        _("Too many failed attempts. Try again in %(seconds)s seconds.") % {"seconds": seconds},
        code="too_many_attempts",
        hint=_("A forgotten password can be reset by mail."),
        params={"retry_after": seconds},
    )
