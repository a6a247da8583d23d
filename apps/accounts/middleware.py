"""Notes where and when a session was last seen, and keeps what proves a person out of reach of their organization."""

from collections.abc import Callable
from hashlib import sha256

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from apps.accounts.services.sessions import note_vouched
from apps.core.identity import VOUCHED, Vouched

# A list of one's sessions needs no more than this, and a page should not cost a write.
EVERY_SECONDS = 60


class LastSeenMiddleware:
    """In place of allauth's, which writes with every request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.session_key:
            address = request.META.get("REMOTE_ADDR")
            visit = f"{request.session.session_key}|{address}"
            seen = f"session-seen:{sha256(visit.encode()).hexdigest()}"
            if address and request.user.is_authenticated and cache.add(seen, 1, EVERY_SECONDS):
                UserSession.objects.create_from_request(request)
                # A session that got another key has another row, which ends with the provider's word as well.
                if (vouched := Vouched.of_session(request.session)) is not None:
                    note_vouched(request.session.session_key, vouched.organization_id)
        return self.get_response(request)


class OwnProofMiddleware:
    """Keeps pages that change how a person signs in from sessions that their organization's provider has opened.

    Otherwise a provider could make itself, through one of its people, a password or a key for everything else that they
    reach, or a second factor with which it would lock them out. An organization that demands a factor has its provider
    ask for one, or its people set one up after signing in with a password.
    """

    CLOSED = frozenset(
        {
            "account_email",
            "account_change_password",
            "account_set_password",
            "mfa_activate_totp",
            "mfa_deactivate_totp",
            "mfa_view_recovery_codes",
            "mfa_download_recovery_codes",
            "mfa_generate_recovery_codes",
            "mfa_list_webauthn",
            "mfa_add_webauthn",
            "mfa_edit_webauthn",
            "mfa_remove_webauthn",
        }
    )

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or match.url_name not in self.CLOSED or not request.session.get(VOUCHED):
            return None
        text = _("You are signed in by your organization. To change this, sign out and sign in with your password.")
        hint = _("“Forgot your password?” mails you a link if you have none.")
        messages.warning(request, f"{text} {hint}")
        return redirect("profile")
