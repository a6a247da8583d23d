"""Links that open one object without a sign-in, for five minutes.

A link is signed and stands for the person who asked for it: what they may see is asked again when it is used.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import NotAuthenticated
from apps.core.identity import Actor, Vouched

LINK_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Link:
    """A signed address within the portal, and until when it is good."""

    address: str
    expires_at: datetime.datetime


def link_to(address: str, *, actor: Actor, salt: str, content: dict[str, Any]) -> Link:
    """A link to the address, whose token names the object (`content`) and the person."""
    if actor.user is None:
        raise NotAuthenticated(_("Sign in first."))
    person = {
        "user": str(actor.user.pk),
        "generation": actor.user.token_generation,
        "vouched": actor.vouched.as_dict() if actor.vouched else None,
    }
    expires_at = timezone.now() + datetime.timedelta(seconds=LINK_SECONDS)
    token = signing.dumps({**content, **person}, salt=salt, compress=True)
    return Link(f"{address}?link={token}", expires_at)


def opened(token: str, *, salt: str, ip: str | None = None) -> tuple[Actor, dict[str, Any]]:
    """Who asked for the link, as they are now, and what it names. Raises `NotAuthenticated` for one that is too old or
    changed, and when the person has gone or has signed out everywhere."""
    try:
        content: dict[str, Any] = signing.loads(token, salt=salt, max_age=LINK_SECONDS)
    except signing.BadSignature as error:
        raise stale() from error
    user = User.objects.active().filter(pk=content["user"], token_generation=content["generation"]).first()
    if user is None:
        raise stale()
    return Actor.of(user, ip=ip, vouched=Vouched.of(content["vouched"])), content


def stale() -> NotAuthenticated:
    """What is said of a link that opens nothing."""
    return NotAuthenticated(
        _("The link is not valid any more."), code="link_invalid", hint=_("Ask for a new one where you found it.")
    )
