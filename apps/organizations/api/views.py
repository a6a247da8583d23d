"""REST for sign-up, tokens, oneself and organizations."""

from typing import Any
from uuid import UUID

import django_filters
from django.conf import settings
from django.db.models import Prefetch
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.accounts.services import factors, profile_update
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor, Role, Via
from apps.core.identity.middleware import context_of
from apps.core.realtime import tickets
from apps.organizations import services
from apps.organizations.api import serializers
from apps.organizations.models import Membership, Organization
from apps.organizations.services import passwords, quotas
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
        passwords.change(
            request=request._request,
            user=request.user,
            keep_session=request.actor.via == Via.SESSION,
            **form.validated_data,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(APIView):
    @extend_schema(request=None, responses={201: serializers.TicketSerializer}, operation_id="ws_tickets_create")
    def post(self, request: ApiRequest) -> Response:
        """A one-time ticket to open a WebSocket with."""
        ticket = {"ticket": tickets.issue(request.actor), "expires_in": settings.WS_TICKET_LIFETIME_SECONDS}
        return Response(serializers.TicketSerializer(ticket).data, status=status.HTTP_201_CREATED)


class MeView(APIView):
    # One's own account stays open where an organization demands a second factor.
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=serializers.MeSerializer, operation_id="me_retrieve")
    def get(self, request: ApiRequest) -> Response:
        """Who I am, and where I belong. Every API key may ask; it is told of its own organization."""
        actor = request.actor.without_scopes()
        memberships = Membership.objects.visible(actor).select_related("organization")
        if actor.key_id is not None:
            memberships = memberships.filter(organization=actor.organization_id)
        people = User.objects.prefetch_related(Prefetch("memberships", queryset=memberships))
        user = people.get_visible(actor, pk=request.user.pk)
        return Response(serializers.MeSerializer(user).data)

    @extend_schema(
        request=serializers.MeSerializer, responses=serializers.MeSerializer, operation_id="me_partial_update"
    )
    def patch(self, request: ApiRequest) -> Response:
        """Change one's own profile."""
        assert request.user.is_authenticated
        form = serializers.MeSerializer(request.user, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        profile_update(actor=request.actor, user=request.user, **form.validated_data)
        return self.get(request)


class OrganizationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Organization]):
    """Organizations that I belong to."""

    request: ApiRequest
    queryset = Organization.objects.none()
    serializer_class = serializers.OrganizationSerializer
    http_method_names = ("get", "patch", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return Organization.objects.visible(self.request.actor)

    @extend_schema(request=serializers.OrganizationSerializer, responses=serializers.OrganizationSerializer)
    def partial_update(self, request: ApiRequest, pk: str | None = None) -> Response:
        organization = self.get_object()
        expected = expected_version(request, organization)
        form = self.get_serializer(organization, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        organization = services.organization_change(
            actor=request.actor, organization=organization, expected=expected, **form.validated_data
        )
        return Response(self.get_serializer(organization).data, headers=etag(organization))

    @extend_schema(methods=["GET"], responses=serializers.UseSerializer(many=True))
    @extend_schema(
        methods=["PATCH"], request=serializers.QuotaSerializer, responses=serializers.UseSerializer(many=True)
    )
    @action(detail=True, methods=["get", "patch"], pagination_class=None)
    def quotas(self, request: ApiRequest, pk: str | None = None) -> Response:
        """What the organization may use and what it uses; platform administrators change the limits."""
        organization = self.get_object()
        if request.method == "PATCH":
            form = serializers.QuotaSerializer(organization, data=request.data, partial=True)
            form.is_valid(raise_exception=True)
            organization = services.quota_change(actor=request.actor, organization=organization, **form.validated_data)
        return Response(serializers.UseSerializer(quotas.uses(organization), many=True).data)


class MemberFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="by_text", label="Part of the name or address")

    class Meta:
        model = Membership
        fields = ["role", "state"]

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


ORGANIZATION = OpenApiParameter("organization_id", str, OpenApiParameter.PATH, description="The organization.")
HEIR = OpenApiParameter("heir_id", UUID, description="Who takes over what the person alone answers for.")


@extend_schema_view(list=extend_schema(parameters=[ORGANIZATION]), retrieve=extend_schema(parameters=[ORGANIZATION]))
class MemberViewSet(viewsets.ReadOnlyModelViewSet[Membership]):
    """Members of an organization."""

    request: ApiRequest
    queryset = Membership.objects.none()
    serializer_class = serializers.MemberSerializer
    filterset_class = MemberFilter
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        organization = Organization.objects.get_visible(self.request.actor, pk=self.kwargs["organization_id"])
        rows = Membership.objects.visible(self.request.actor).filter(organization=organization)
        return rows.select_related("user", "organization")

    @extend_schema(parameters=[ORGANIZATION])
    def partial_update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Give another role, one that you may grant."""
        membership = self.get_object()
        expected = expected_version(request, membership)
        form = self.get_serializer(membership, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        role = Role(form.validated_data.get("role", membership.role))
        return self._answer(
            services.membership_change_role(actor=request.actor, membership=membership, role=role, expected=expected)
        )

    @extend_schema(parameters=[ORGANIZATION, HEIR], responses={204: DONE})
    def destroy(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Remove a member, or leave. What the person alone answers for goes to the heir."""
        membership = self.get_object()
        heir = request.query_params.get("heir_id")
        services.membership_remove(
            actor=request.actor, membership=membership, heir=_heir(request, membership, heir) if heir else None
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[ORGANIZATION], request=serializers.ApprovalSerializer, responses=serializers.MemberSerializer
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Let a person in who asked to join."""
        form = serializers.ApprovalSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        role = Role(form.validated_data["role"])
        return self._answer(services.membership_approve(actor=request.actor, membership=self.get_object(), role=role))

    @extend_schema(parameters=[ORGANIZATION], request=None, responses=serializers.MemberSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Take every right away, and keep the place."""
        return self._answer(services.membership_suspend(actor=request.actor, membership=self.get_object()))

    @extend_schema(parameters=[ORGANIZATION], request=None, responses=serializers.MemberSerializer)
    @action(detail=True, methods=["post"])
    def reinstate(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Give a suspended person their role back."""
        return self._answer(services.membership_reinstate(actor=request.actor, membership=self.get_object()))

    def _answer(self, membership: Membership) -> Response:
        return Response(self.get_serializer(membership).data, headers=etag(membership))


def _heir(request: ApiRequest, membership: Membership, heir_id: str) -> User:
    try:
        return User.objects.get_visible(request.actor, pk=heir_id)
    except (NotFound, ValueError) as error:
        message = _("Choose an active member of the organization.")
        raise Invalid(message, code="heir_invalid", fields={"heir_id": [message]}) from error
