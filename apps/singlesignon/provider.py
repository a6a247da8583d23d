"""allauth's OpenID Connect provider, with what an organization's own one needs: endpoints found and ID token checked
by `protocol`, a nonce, and no account but the one that the services name."""

import secrets
from typing import Any

from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import get_request_param
from django.http import HttpRequest

from apps.accounts.stages import FACTOR_SEEN
from apps.singlesignon import protocol
from apps.singlesignon.models import Connection
from apps.singlesignon.reasons import Refused
from apps.singlesignon.selectors import return_address
from apps.singlesignon.services import Identity

SCOPES = ["openid", "email", "profile"]


class OrganizationOAuth2Adapter(OpenIDConnectOAuth2Adapter):
    """Talks to the provider of one connection, in one request."""

    def __init__(self, request: HttpRequest, provider_id: str) -> None:
        super().__init__(request, provider_id)
        #: What was kept when the sign-in began; the callback's view puts it here.
        self.state: dict[str, Any] = {}

    @property
    def published(self) -> protocol.Provider:
        if not hasattr(self, "_published"):
            self._published = protocol.discover(self.connection.issuer)
        return self._published

    @property
    def openid_config(self) -> dict[str, str]:
        found = self.published
        return {"authorization_endpoint": found.authorization_endpoint, "token_endpoint": found.token_endpoint}

    @property
    def connection(self) -> Connection:
        found: Connection = self.get_provider().connection
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return return_address(self.connection, request)

    def get_access_token_data(
        self, request: HttpRequest, app: SocialApp, client: Any, pkce_code_verifier: str | None = None
    ) -> dict[str, Any]:
        tokens = protocol.exchange(
            self.published,
            client_id=app.client_id,
            secret=app.secret,
            code=get_request_param(request, "code"),
            verifier=pkce_code_verifier or "",
            return_address=self.get_callback_url(request, app),
        )
        return tokens if tokens.get("access_token") else {**tokens, "access_token": ""}

    def parse_token(self, data: dict[str, Any]) -> None:
        """The provider's tokens are of no use after the sign-in, and kept nowhere."""

    def complete_login(self, request: HttpRequest, app: SocialApp, token: None, **kwargs: Any) -> SocialLogin:
        # RFC 9207: an answer that names another provider was meant for it.
        if request.GET.get("iss", self.published.issuer) != self.published.issuer:
            raise Refused("issuer_wrong")
        claims = protocol.claims_of(
            kwargs["response"],
            protocol.keys_of(self.published),
            self.published,
            client_id=app.client_id,
            nonce=str(self.state.get("nonce", "")),
        )
        self.state[FACTOR_SEEN] = claims.factor_seen
        login = self.get_provider().sociallogin_from_response(request, {"sub": claims.subject})
        login.identity = Identity(claims.subject, claims.email, claims.is_verified)
        return login


class OrganizationProvider(OpenIDConnectProvider):
    """One connection, as allauth sees it."""

    oauth2_adapter_class = OrganizationOAuth2Adapter

    def __init__(self, request: HttpRequest, connection: Connection) -> None:
        self.connection = connection
        app = SocialApp(
            provider=self.id,
            provider_id=connection.provider_id,
            name=connection.short_name,
            client_id=connection.client_id,
            secret=connection.secret,
            settings={"oauth_pkce_enabled": True, "scope": SCOPES},
        )
        super().__init__(request, app=app)

    def begin(self, request: HttpRequest, next_url: str | None) -> Any:
        """To the provider, with a state, a nonce and a PKCE challenge that this browser's session keeps."""
        nonce = secrets.token_urlsafe(32)
        return self.redirect(request, process="login", next_url=next_url, auth_params={"nonce": nonce}, nonce=nonce)

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        """Nothing of what the provider tells about the person is kept."""
        return {}

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        return {}

    def extract_email_addresses(self, data: Any) -> list[Any]:
        return []

    def serialize(self) -> dict[str, Any]:
        """For a sign-in that waits for the person's second factor."""
        return {"id": self.connection.provider_id}
