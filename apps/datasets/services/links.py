"""Links that open one object without a sign-in, for five minutes.

A link is signed and stands for the person who asked for it, at the door by which they came: whether that key, token or
session still lives and what they may see is asked again when it is used.
"""

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.selectors import has_session, session_mark
from apps.core.api.authentication import with_family
from apps.core.errors import NotAuthenticated
from apps.core.identity import Actor, KeyGrant, Via, Vouched, key_of_id

LINK_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Link:
    """A signed address, within the portal or the object store's own, and until when it is good."""

    address: str
    expires_at: datetime.datetime


def link_to(address: str, *, actor: Actor, salt: str, content: dict[str, Any], session_key: str | None = None) -> Link:
    """A link to the address, whose token names the object (`content`), the person and their sign-in; `session_key` is
    that of who came by a session."""
    if actor.user is None:
        raise NotAuthenticated(_("Sign in first."))
    person = {
        "user": str(actor.user.pk),
        "generation": actor.user.token_generation,
        "vouched": actor.vouched.as_dict() if actor.vouched else None,
        "via": actor.via,
        "key": _text(actor.key_id),
        "family": _text(actor.family),
        "session": session_mark(session_key) if session_key else None,
        "organization": _text(actor.organization_id),
        "narrowed": actor.narrowed,
    }
    expires_at = timezone.now() + datetime.timedelta(seconds=LINK_SECONDS)
    token = signing.dumps({**content, **person}, salt=salt, compress=True)
    return Link(f"{address}?link={token}", expires_at)


def opened(token: str, *, salt: str, **request: Any) -> tuple[Actor, dict[str, Any]]:
    """Who asked for the link, as they are now, by the `request` at hand (`context_of`), and what it names. Raises
    `NotAuthenticated` for one that is too old or changed, and when the person has gone or the sign-in has ended."""
    try:
        content: dict[str, Any] = signing.loads(token, salt=salt, max_age=LINK_SECONDS)
    except signing.BadSignature as error:
        raise stale() from error
    # Without a door: signed by a portal of before.
    if "via" not in content:
        raise stale()
    family = _id(content["family"])
    people = User.objects.active().filter(pk=content["user"], token_generation=content["generation"])
    user = with_family(people, family).first()
    if user is None or user.family_revoked:
        raise stale()
    via = Via(content["via"])
    if via == Via.SESSION and not has_session(user, content["session"] or ""):
        raise stale()
    actor = Actor.of(
        user,
        organization_id=_id(content["organization"]),
        narrow=content["narrowed"],
        via=via,
        key=_grant(_id(content["key"])),
        family=family,
        vouched=Vouched.of(content["vouched"]),
        **request,
    )
    return actor, content


def _grant(key_id: UUID | None) -> KeyGrant | None:
    if key_id is None:
        return None
    grant = key_of_id(key_id)
    if grant is None:
        raise stale()
    return grant


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def stale() -> NotAuthenticated:
    """What is said of a link that opens nothing."""
    return NotAuthenticated(
        _("The link is not valid any more."), code="link_invalid", hint=_("Ask for a new one where you found it.")
    )
