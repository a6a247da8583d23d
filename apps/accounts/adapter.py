"""Where allauth meets our own people."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Keeps addresses in lower case and links in mails on the portal's public address."""

    def clean_email(self, email: str) -> str:
        return super().clean_email(email).strip().lower()

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        url = super().get_email_confirmation_url(request, emailconfirmation)
        if settings.PUBLIC_URL and url.startswith("http"):
            path = url.split("/", 3)[3]
            return f"{settings.PUBLIC_URL.rstrip('/')}/{path}"
        return url
