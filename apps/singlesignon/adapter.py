"""Where allauth meets the organizations' connections."""

from typing import Any, NoReturn
from uuid import UUID

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from django.http import HttpRequest
from django.shortcuts import render

from apps.core import outbound
from apps.core.errors import NotFound
from apps.core.identity.middleware import actor_for
from apps.singlesignon.models import Connection
from apps.singlesignon.provider import OrganizationProvider
from apps.singlesignon.reasons import Refused
from apps.singlesignon.selectors import enabled_connection
from apps.singlesignon.services import account_of, sign_in_refused_note


class ProviderAdapter(DefaultSocialAccountAdapter):
    """Providers are the enabled connections; requests go out by the guarded client; accounts come from the services."""

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """None for everybody to choose from: whose provider it is, a person says."""
        return []

    def get_provider(self, request: HttpRequest, provider: str, client_id: Any = None) -> OrganizationProvider:
        """Raises `ValueError`, which a sign-in that waits in a session takes for its end."""
        try:
            return OrganizationProvider(request, enabled_connection(UUID(provider)))
        except NotFound as error:
            raise ValueError("no such connection") from error

    def get_requests_session(self) -> outbound.OutboundSession:
        return outbound.session()

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The provider's word was checked; now whom it signs in."""
        connection: Connection = sociallogin.provider.connection
        sociallogin.token = None
        try:
            account = account_of(actor=actor_for(request), connection=connection, identity=sociallogin.identity)
        except Refused as refusal:
            refuse(request, connection, refusal)
        sociallogin.account, sociallogin.user = account, account.user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: OrganizationProvider,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        """What allauth finds wrong before a token is asked for."""
        if "state_id" in (extra_context or {}):
            reason = "state_unknown"
        elif error == AuthError.CANCELLED:
            reason = "cancelled"
        else:
            reason = "provider_refused"
        refuse(request, provider.connection, Refused(reason))


def refuse(request: HttpRequest, connection: Connection, refusal: Refused) -> NoReturn:
    """Notes a refused sign-in and shows why, in place of what would have come."""
    sign_in_refused_note(actor=actor_for(request), connection=connection, reason=refusal.code)
    raise ImmediateHttpResponse(render(request, "singlesignon/refused.html", {"refusal": refusal}, status=403))
