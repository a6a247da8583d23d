"""What allauth announces, handed to the services."""

from typing import Any

from django.http import HttpRequest

from apps.accounts.services import sessions
from apps.accounts.stages import FACTOR_SEEN
from apps.core.identity import VOUCHED, Vouched
from apps.core.identity.middleware import actor_for
from apps.singlesignon.services import signed_in_note


def signed_in(request: HttpRequest, user: Any, sociallogin: Any = None, **kwargs: Any) -> None:
    """After every step of the sign-in: from here on the session is the organization's."""
    if sociallogin is None:
        return
    vouched = Vouched(sociallogin.provider.connection.organization_id, sociallogin.state.get(FACTOR_SEEN) is True)
    request.session[VOUCHED] = vouched.as_dict()
    sessions.note_vouched(request.session.session_key or "", vouched.organization_id)
    signed_in_note(actor=actor_for(request), connection=sociallogin.provider.connection)
