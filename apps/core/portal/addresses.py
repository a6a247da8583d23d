"""The portal's own address, for mails: there is no request that it could be read off."""

from pathlib import Path

from django.conf import settings


def portal_url() -> str:
    """The address that people use: `PUBLIC_URL`, else the one that the portal wrote down when it started."""
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL).rstrip("/")
    file = Path(str(settings.JOBS["portal_file"]))
    return file.read_text().strip().rstrip("/") if file.exists() else "http://localhost:8000"
