"""What every page of the portal is drawn with."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

#: Mails go to a folder of the home: this installation has no mail server.
FOLDER = "django.core.mail.backends.filebased.EmailBackend"
THEMES = ("system", "light", "dark")


def mail_kept() -> bool:
    return bool(settings.EMAIL_BACKEND == FOLDER)


def portal(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "system")
    return {
        "actor": getattr(request, "actor", None),
        "theme": theme if theme in THEMES else "system",
        "languages": settings.LANGUAGES,
        "mail_kept": mail_kept(),
    }
