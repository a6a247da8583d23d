"""How a REST request proves who it is. Both ways end in `request.actor`."""

from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication

from apps.core.identity import Actor, KeyRefused, Via, key_of_secret
from apps.core.identity.middleware import context_of

#: Before a credential in `Authorization`; each takes an access token or an API key.
SCHEMES = frozenset({"bearer", "api-key"})
#: What every API key starts with. No access token does: it starts with the base64 of `{`.
KEY_PREFIX = "myk_"
ALGORITHM = "HS256"
ISSUER = "modelyard"
AUDIENCE = "modelyard-api"


def access_claims(token: str) -> dict[str, Any]:
    """The verified claims of an access token. Raises `AuthenticationFailed`."""
    try:
        claims = jwt.decode(
            token,
            settings.SECRET_KEY,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "iat", "nbf", "sub", "jti", "typ", "gen", "fam"]},
        )
        if claims["typ"] != "access" or not isinstance(claims["exp"], int):
            raise jwt.InvalidTokenError("not an access token")
        if claims["exp"] - claims["iat"] > settings.ACCESS_TOKEN_LIFETIME_SECONDS:
            raise jwt.InvalidTokenError("lives longer than any that was issued")
        UUID(claims["sub"])
        UUID(claims["fam"])
        # Must be named, but is null for people of no organization; "require" takes null for absent.
        if claims["organization_id"] is not None:
            UUID(claims["organization_id"])
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise exceptions.AuthenticationFailed(_("The access token is not valid."), code="token_invalid") from error
    return claims


def with_family(people: Any, family: UUID | None) -> Any:
    """People with `family_revoked`: whether that family of their refresh tokens was ended. No query more."""
    tokens = get_user_model()._meta.get_field("refresh_tokens").related_model._default_manager
    ended = tokens.filter(user_id=OuterRef("pk"), family=family, revoked_at__isnull=False)
    return people.annotate(family_revoked=Exists(ended))


def actor_of_token(token: str, *, request_id: str, ip: str | None, user_agent: str, via: Via = Via.TOKEN) -> Actor:
    """The actor that an access token stands for, narrowed to the organization chosen when it was issued, or the owner
    of an API key, narrowed to what the key may do.

    Roles are read afresh; a token is refused when the person's tokens were revoked since (`token_generation`), or those
    of the sign-in that it comes from (its family).
    """
    if token.startswith(KEY_PREFIX):
        return _actor_of_key(
            token, request_id=request_id, ip=ip, user_agent=user_agent, via=Via.KEY if via == Via.TOKEN else via
        )
    claims = access_claims(token)
    family = UUID(claims["fam"])
    user = with_family(get_user_model()._default_manager, family).filter(pk=claims["sub"], is_active=True).first()
    if user is None or user.token_generation != claims["gen"] or user.family_revoked:
        raise exceptions.AuthenticationFailed(_("The access token is not valid."), code="token_invalid")
    chosen = UUID(claims["organization_id"]) if claims["organization_id"] else None
    return Actor.of(
        user,
        organization_id=chosen,
        narrow=True,
        via=via,
        request_id=request_id,
        ip=ip,
        user_agent=user_agent,
        family=family,
    )


def _actor_of_key(secret: str, **context: Any) -> Actor:
    try:
        grant = key_of_secret(secret)
        actor = Actor.of(grant.user, key=grant, **context)
        if grant.organization_id not in actor.memberships:
            raise KeyRefused("key_invalid")
    except KeyRefused as refusal:
        reasons = {
            "key_revoked": _("This API key was revoked."),
            "key_expired": _("This API key has expired."),
        }
        raise exceptions.AuthenticationFailed(
            reasons.get(refusal.code, _("The API key is not valid.")), code=refusal.code
        ) from refusal
    return actor


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token or API key>`, or `Authorization: Api-Key <API key>`."""

    def authenticate(self, request: Any) -> tuple[Any, str] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _space, token = header.partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        actor = actor_of_token(token.strip(), **context_of(request._request))
        request._request.actor = actor
        return actor.user, token

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class PortalSessionAuthentication(SessionAuthentication):
    """The portal's own session, for its pages' scripts; CSRF is checked."""
