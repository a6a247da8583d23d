"""REST for invitations: those who invite, and those who hold a link."""

from collections.abc import Iterable
from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.core.api.requests import ApiRequest
from apps.core.identity import Actor, Via
from apps.core.identity.middleware import context_of
from apps.invitations import selectors, services
from apps.invitations.api import serializers
from apps.invitations.models import Invitation, InvitationState
from apps.organizations.services import token_issue

TOKEN = OpenApiParameter("token", str, OpenApiParameter.PATH, description="The token of the mailed link.")
DONE = OpenApiResponse(description="Done.")


def _data(invitations: Iterable[Invitation]) -> list[dict[str, Any]]:
    return list(serializers.InvitationSerializer(selectors.described(invitations), many=True).data)


class InvitationFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=InvitationState.choices)
    target_type = django_filters.CharFilter()
    target_id = django_filters.UUIDFilter()
    search = django_filters.CharFilter(method="by_text", label="Part of the address")

    class Meta:
        model = Invitation
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class InvitationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Invitation]):
    """Invitations to what I may invite to."""

    request: ApiRequest
    queryset = Invitation.objects.none()
    serializer_class = serializers.InvitationSerializer
    filterset_class = InvitationFilter
    lookup_value_converter = "uuid"

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return Invitation.objects.visible(self.request.actor).select_related("invited_by")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(_data(page))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(_data([self.get_object()])[0])

    @extend_schema(
        request=serializers.InvitationCreateSerializer, responses={201: serializers.InvitationOutcomeSerializer}
    )
    def create(self, request: ApiRequest) -> Response:
        """Invite an address. A member of the organization joins at once; every other address gets a mail."""
        form = serializers.InvitationCreateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        target = selectors.target_for(request.actor, fields.pop("target_type"), fields.pop("target_id"))
        found = services.invitation_create(
            actor=request.actor, target=target, days=fields.pop("expires_in_days", None), **fields
        )
        shown = _data([found.invitation])[0] if found.invitation else None
        body = {"email": found.email, "outcome": found.outcome, "invitation": shown}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=serializers.InvitationSerializer)
    @action(detail=True, methods=["post"])
    def resend(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Send a new mail; the old link is dead at once."""
        found = services.invitation_resend(actor=request.actor, invitation=self.get_object())
        return Response(_data([found])[0])

    @extend_schema(request=None, responses=serializers.InvitationSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Withdraw an invitation that waits."""
        found = services.invitation_cancel(actor=request.actor, invitation=self.get_object())
        return Response(_data([found])[0])


class InvitationBulkView(APIView):
    @extend_schema(
        request=serializers.InvitationBulkSerializer,
        responses=serializers.InvitationLinesSerializer,
        operation_id="invitations_bulk_create",
    )
    def post(self, request: ApiRequest) -> Response:
        """Invite the addresses of a CSV. Each line is whole or nothing, and its outcome is told."""
        form = serializers.InvitationBulkSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        target = selectors.target_for(request.actor, fields.pop("target_type"), fields.pop("target_id"))
        lines = services.invitations_create(
            actor=request.actor,
            target=target,
            text=fields.pop("csv"),
            days=fields.pop("expires_in_days", None),
            **fields,
        )
        return Response(serializers.InvitationLinesSerializer({"results": lines}).data)


class LinkView(APIView):
    """For whoever holds the link; slowed down by address, as sign-in is."""

    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "invitation_link"


class InvitationInfoView(LinkView):
    @extend_schema(
        parameters=[TOKEN], responses=serializers.InvitationInfoSerializer, operation_id="invitations_info_retrieve"
    )
    def get(self, request: ApiRequest, token: str) -> Response:
        """What the link invites to. Of an invitation that has ended its state alone."""
        invitation = selectors.invitation_of(token)
        return Response(serializers.InvitationInfoSerializer(selectors.info(invitation)).data)


class InvitationAcceptView(LinkView):
    @extend_schema(
        parameters=[TOKEN],
        request=serializers.InvitationAcceptSerializer,
        responses=serializers.InvitationAnsweredSerializer,
        operation_id="invitations_accept",
    )
    def post(self, request: ApiRequest, token: str) -> Response:
        """Accept: as the person signed in, or by a new account for the invited address."""
        form = serializers.InvitationAcceptSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        if request.actor.user is None and "password" in form.validated_data:
            user: User | None = services.invitation_sign_up(actor=request.actor, token=token, **form.validated_data)
        else:
            services.invitation_accept(actor=request.actor, token=token)
            user = request.actor.user
        invitation = selectors.invitation_of(token)
        tokens = None
        # A provider's word is good for a session that ends with it, never for tokens that stay.
        vouched = request.actor.vouched is not None
        if user is not None and request.actor.via in (Via.SESSION, Via.TOKEN) and not vouched:
            organization_id = invitation.organization_id
            actor = Actor.of(user, organization_id=organization_id, via=Via.TOKEN, **context_of(request._request))
            tokens = token_issue(actor=actor, organization_id=organization_id)
        body = {**{name: getattr(invitation, name) for name in selectors.ANSWERED}, "tokens": tokens}
        return Response(serializers.InvitationAnsweredSerializer(body).data)


class InvitationDeclineView(LinkView):
    @extend_schema(parameters=[TOKEN], request=None, responses={204: DONE}, operation_id="invitations_decline")
    def post(self, request: ApiRequest, token: str) -> Response:
        """Decline; the link proves who answers."""
        services.invitation_decline(actor=request.actor, token=token)
        return Response(status=status.HTTP_204_NO_CONTENT)
