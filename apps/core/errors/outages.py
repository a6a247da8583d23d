"""A database or an object store that cannot be asked at the moment, in the words of the domain's errors.

Every connection of the process's pool is busy for longer than a request waits for one, the server is away, or it ended
the connection (a restart, a deadlock); nobody answers where the store is, or it answers that it cannot: none of it is
the request's fault, and trying again helps.
"""

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Unavailable

RETRY_SECONDS = 5


def outage_of(error: BaseException | None) -> Unavailable | None:
    """What is to be said of an error of the database or the object store that passes by itself; None of every other."""
    if isinstance(error, OperationalError | InterfaceError):
        return Unavailable(
            _("The portal is very busy, or its database does not answer."),
            code="database_unavailable",
            hint=_("Try again in a few seconds."),
            params={"retry_after": RETRY_SECONDS},
        )
    if _is_of_the_store(error):
        return Unavailable(
            _("The store of files does not answer."),
            code="storage_unavailable",
            hint=_("Try again in a few seconds. If it stays away, tell an administrator: the health page says more."),
            params={"retry_after": RETRY_SECONDS},
        )
    return None


def _is_of_the_store(error: BaseException | None) -> bool:
    if not type(error).__module__.startswith("botocore"):
        return False
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # import here: only S3 needs it

    if isinstance(error, ClientError):
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500)
    return isinstance(error, ConnectionError | HTTPClientError)
