"""REST for the members of an organization."""

from typing import Any
from uuid import UUID

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from apps.accounts.models import User
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.core.errors import Invalid, NotFound
from apps.core.identity import Role
from apps.organizations import services
from apps.organizations.api import serializers
from apps.organizations.models import Membership, Organization


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

    @extend_schema(parameters=[ORGANIZATION, HEIR], responses={204: OpenApiResponse(description="Done.")})
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
