"""Whether files may go past the portal."""

from django.conf import settings

from apps.core.storage import storage


def direct_origin() -> str:
    """The origin of the store that pages may send files to; "" where they may not, or there is no bucket."""
    direct = storage().direct if settings.DIRECT_UPLOADS == "browsers" else None
    return direct.origin if direct is not None else ""
