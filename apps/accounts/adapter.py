"""Where allauth meets our own people."""

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import translation
from django.utils.text import format_lazy

from apps.accounts.services import lockout, verification
from apps.core import ciphers
from apps.core.errors import TooManyRequests


class AccountAdapter(DefaultAccountAdapter):
    """Keeps addresses in lower case, pauses guessing, and links in mails on the portal's public address."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": format_lazy("{} {}", verification.REFUSED, verification.REFUSED_HINT),
    }

    def clean_email(self, email: str) -> str:
        return super().clean_email(email).strip().lower()

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        url = super().get_email_confirmation_url(request, emailconfirmation)
        if settings.PUBLIC_URL and url.startswith("http"):
            path = url.split("/", 3)[3]
            return f"{settings.PUBLIC_URL.rstrip('/')}/{path}"
        return url

    def get_login_stages(self) -> list[str]:
        own = {"allauth.mfa.stages.AuthenticateStage": "apps.accounts.stages.SecondFactorStage"}
        return [own.get(name, name) for name in super().get_login_stages()]

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """In place of allauth's own limit, which locks a person out from everywhere."""
        try:
            lockout.attempt(credentials.get("email", ""), self.get_client_ip(request))
        except TooManyRequests as error:
            raise ValidationError(f"{error.message} {error.hint}", code=error.code) from error

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        user = super().authenticate(request, **credentials)
        if user is not None:
            lockout.forget(credentials.get("email", ""), self.get_client_ip(request))
        return user

    def login(self, request: HttpRequest, user: Any) -> None:
        """Greets in the language of the page that comes next: the profile's, unless the browser chose one."""
        super().login(request, user)
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            translation.activate(user.language)

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """After a reset of the password, which the mailed link proves."""
        lockout.forget(credentials.get("email", ""), self.get_client_ip(request))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keeps the keys of authenticator apps as ciphertext."""

    def encrypt(self, text: str) -> str:
        return ciphers.encrypt(text, "second-factor")

    def decrypt(self, encrypted_text: str) -> str:
        return ciphers.decrypt(encrypted_text, "second-factor")

    def _get_site_name(self) -> str:
        return "Modelyard"
