"""A database that cannot be asked at the moment, in the words of the domain's errors.

Every connection of the process's pool is busy for longer than a request waits for one, the server is away, or it ended
the connection (a restart, a deadlock): none of it is the request's fault, and trying again helps.
"""

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Unavailable

RETRY_SECONDS = 5


def outage_of(error: BaseException | None) -> Unavailable | None:
    """What is to be said of an error of the database that passes by itself; None of every other one."""
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return Unavailable(
        _("The portal is very busy, or its database does not answer."),
        code="database_unavailable",
        hint=_("Try again in a few seconds."),
        params={"retry_after": RETRY_SECONDS},
    )
