"""Asking for one more organization, so often a day: each answer tells whether there is one of this name, and leaves an
event in its log."""

from django.core.cache import cache
from django.utils.translation import gettext as _

from apps.core.errors import TooManyRequests
from apps.core.identity import Actor
from apps.organizations.models import Membership
from apps.organizations.services import memberships

#: Of one person, whatever comes of it.
MOST_A_DAY = 20
DAY_SECONDS = 86400


def organization_ask(*, actor: Actor, company: str, division: str = "") -> Membership | None:
    """`memberships.organization_ask`; raises `TooManyRequests` beyond what one person may ask for in a day."""
    if actor.user_id is not None and _counted(f"organization-asked:{actor.user_id}") > MOST_A_DAY:
        raise TooManyRequests(
            _("You asked for %(most)s organizations within a day.") % {"most": MOST_A_DAY},
            code="asked_too_often",
            hint=_("Try again tomorrow."),
        )
    return memberships.organization_ask(actor=actor, company=company, division=division)


def _counted(key: str) -> int:
    """Before it is asked, so that many at once are counted too."""
    cache.add(key, 0, DAY_SECONDS)
    try:
        return cache.incr(key)
    except ValueError:  # it ran out between the two
        cache.set(key, 1, DAY_SECONDS)
        return 1
