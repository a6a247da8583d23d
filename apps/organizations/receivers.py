"""What allauth and Django announce, handed to the services."""

from typing import Any

from django.http import HttpRequest

from apps.core.errors import Conflict
from apps.core.identity import VOUCHED, Actor
from apps.core.identity.middleware import actor_for, context_of
from apps.organizations import services


def email_confirmed(request: HttpRequest, email_address: Any, **kwargs: Any) -> None:
    user = email_address.user
    if user.signup_company:
        actor = Actor.of(user, request_id=getattr(request, "request_id", ""))
        try:
            services.organization_join(actor=actor, user=user)
        except Conflict as error:
            # A colleague founded the organization a moment ago: now it is there to be joined.
            if error.code == "taken_meanwhile":
                services.organization_join(actor=actor, user=user)
            # Otherwise a second click on the mailed link was faster.


def signed_in(request: HttpRequest, user: Any, sociallogin: Any = None, **kwargs: Any) -> None:
    if sociallogin is not None:  # noted where the organization's provider is known
        return
    request.session.pop(VOUCHED, None)
    services.signed_in_note(actor=Actor.of(user, **context_of(request)))


def signed_out(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """In the log of the organization that was chosen: the session is still there, with who vouched for it."""
    if user is not None and user.is_authenticated:
        services.signed_out_note(actor=actor_for(request))


def sign_in_failed(request: HttpRequest | None, **kwargs: Any) -> None:
    actor = actor_for(request) if request is not None and hasattr(request, "user") else Actor.anonymous()
    services.sign_in_failed_note(actor=actor)


def password_changed(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Whoever knew the old one is signed out: other browsers and every program."""
    services.tokens_end(
        actor=Actor.of(user, **context_of(request)),
        user=user,
        # After a reset nobody is signed in, and no session stays.
        keep_session=request.session.session_key if request.user.pk == user.pk else None,
    )
