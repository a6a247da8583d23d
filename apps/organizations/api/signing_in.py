"""REST for sign-up, tokens, passwords and tickets of sockets."""

from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.accounts.services import factors
from apps.core.api.requests import ApiRequest
from apps.core.identity import Actor, Via
from apps.core.identity.middleware import context_of
from apps.core.realtime import tickets
from apps.organizations import services
from apps.organizations.api import serializers
from apps.organizations.services import passwords
from apps.organizations.services.addresses import verify_email
from apps.organizations.services.sign_in import password_user
from apps.organizations.services.sign_up import sign_up

ACCEPTED = OpenApiResponse(description="Accepted; what follows comes by mail.")
DONE = OpenApiResponse(description="Done.")


class AnonymousView(APIView):
    """Open to everybody, and slowed down by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "sign_in"


class SignUpView(AnonymousView):
    @extend_schema(request=serializers.SignUpSerializer, responses={202: ACCEPTED}, operation_id="auth_sign_up")
    def post(self, request: ApiRequest) -> Response:
        """Sign up. The answer is the same whether the address is known or not."""
        form = serializers.SignUpSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sign_up(request=request._request, **form.validated_data)
        return Response(status=status.HTTP_202_ACCEPTED)


class VerifyEmailView(AnonymousView):
    @extend_schema(request=serializers.VerificationSerializer, responses={204: DONE}, operation_id="auth_verify_email")
    def post(self, request: ApiRequest) -> Response:
        """Verify the address that a mailed key belongs to, with the password given at sign-up, or a new one."""
        form = serializers.VerificationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        verify_email(request=request._request, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenView(AnonymousView):
    @extend_schema(
        request=serializers.TokenRequestSerializer,
        responses=serializers.TokenPairSerializer,
        operation_id="auth_token_issue",
    )
    def post(self, request: ApiRequest) -> Response:
        """Sign in: an access and a refresh token for one of your organizations.

        Who has a second factor gets 401 with `mfa_required` and, in `params`, a `challenge` for `auth/token/mfa`.
        """
        form = serializers.TokenRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = password_user(
            request._request, email=form.validated_data["email"], password=form.validated_data["password"]
        )
        organization_id = form.validated_data.get("organization_id")
        factors.demand(user, organization_id)
        return _issued(request, user, organization_id)


class TokenCodeView(AnonymousView):
    @extend_schema(
        request=serializers.TokenCodeSerializer,
        responses=serializers.TokenPairSerializer,
        operation_id="auth_token_mfa",
    )
    def post(self, request: ApiRequest) -> Response:
        """Answer the challenge that `auth/token` gave (401, `mfa_required`) with a code of the second factor."""
        form = serializers.TokenCodeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        proven = factors.passed(**form.validated_data)
        return _issued(request, proven.user, proven.organization_id)


def _issued(request: ApiRequest, user: User, organization_id: UUID | None) -> Response:
    """Tokens for a person who has just proven who they are."""
    actor = Actor.of(user, organization_id=organization_id, via=Via.TOKEN, **context_of(request._request))
    pair = services.token_issue(actor=actor, organization_id=organization_id)
    return Response(serializers.TokenPairSerializer(pair).data)


class TokenRefreshView(AnonymousView):
    @extend_schema(
        request=serializers.RefreshSerializer,
        responses=serializers.TokenPairSerializer,
        operation_id="auth_token_refresh",
    )
    def post(self, request: ApiRequest) -> Response:
        """Exchange a refresh token, once, for a new pair."""
        form = serializers.RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        pair = services.token_refresh(refresh=form.validated_data["refresh"], **context_of(request._request))
        return Response(serializers.TokenPairSerializer(pair).data)


class TokenRevokeView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=serializers.RefreshSerializer, responses={204: DONE}, operation_id="auth_token_revoke")
    def post(self, request: ApiRequest) -> Response:
        """Sign out: the refresh token and everything made from it ends."""
        form = serializers.RefreshSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.token_revoke(actor=request.actor, refresh=form.validated_data["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordForgotView(AnonymousView):
    @extend_schema(
        request=serializers.AddressSerializer, responses={202: ACCEPTED}, operation_id="auth_password_forgot"
    )
    def post(self, request: ApiRequest) -> Response:
        """Have a link mailed that sets a new password. The answer is the same whether the address is known or not."""
        form = serializers.AddressSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        passwords.forgot(request=request._request, email=form.validated_data["email"])
        return Response(status=status.HTTP_202_ACCEPTED)


class PasswordResetView(AnonymousView):
    @extend_schema(
        request=serializers.PasswordResetSerializer, responses={204: DONE}, operation_id="auth_password_reset"
    )
    def post(self, request: ApiRequest) -> Response:
        """Set a new password by the key of a mailed link, once. Every session and token ends."""
        form = serializers.PasswordResetSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        passwords.reset(request=request._request, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordChangeView(APIView):
    permission_classes = (IsAuthenticated,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "sign_in"

    @extend_schema(
        request=serializers.PasswordChangeSerializer, responses={204: DONE}, operation_id="auth_password_change"
    )
    def post(self, request: ApiRequest) -> Response:
        """Change the password. Every token ends, and every session but the one that asks."""
        assert request.user.is_authenticated
        form = serializers.PasswordChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        passwords.change(request=request._request, actor=request.actor, user=request.user, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(APIView):
    @extend_schema(request=None, responses={201: serializers.TicketSerializer}, operation_id="ws_tickets_create")
    def post(self, request: ApiRequest) -> Response:
        """A one-time ticket to open a WebSocket with."""
        # As with a page's own socket, what a browser opens ends with its session; a token is no part of one.
        session_key = request.session.session_key if request.actor.via == Via.SESSION else None
        ticket = {
            "ticket": tickets.issue(request.actor, session_key=session_key),
            "expires_in": settings.WS_TICKET_LIFETIME_SECONDS,
        }
        return Response(serializers.TicketSerializer(ticket).data, status=status.HTTP_201_CREATED)
