"""What Django and allauth announce about people and what proves them, handed to the services."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from apps.accounts import actions
from apps.accounts.models import User
from apps.accounts.services import factor_note, lockout
from apps.core.identity.middleware import actor_for


def sign_in_failed(request: HttpRequest | None, credentials: dict[str, Any], **kwargs: Any) -> None:
    if request is not None:
        lockout.failed(actor_for(request), credentials.get("email") or "", request.META.get("REMOTE_ADDR"))


def factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    factor_note(actor=actor_for(request), action=actions.FACTOR_ADDED, user=user, kind=authenticator.type)


def factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    factor_note(actor=actor_for(request), action=actions.FACTOR_REMOVED, user=user, kind=authenticator.type)


def recovery_codes_made(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    factor_note(actor=actor_for(request), action=actions.RECOVERY_CODES_MADE, user=user, kind=authenticator.type)


def factor_used(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """The sign-in that follows is noted as every sign-in; a recovery code is one less."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        factor_note(actor=actor_for(request), action=actions.RECOVERY_CODE_USED, user=user, kind=authenticator.type)


def factor_failed(request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    factor_note(actor=actor_for(request), action=actions.FACTOR_FAILED, user=user, kind=authenticator.type)
