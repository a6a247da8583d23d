"""REST for an organization's single sign-on. The sign-in itself is a matter of browsers."""

from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.organizations.models import Organization
from apps.singlesignon import services
from apps.singlesignon.api import serializers
from apps.singlesignon.models import Connection
from apps.singlesignon.selectors import return_address

ORGANIZATION = OpenApiParameter("organization_id", UUID, OpenApiParameter.PATH, description="The organization.")
REMOVED = OpenApiResponse(description="Removed.")


def _organization(request: ApiRequest, organization_id: UUID) -> Organization:
    return Organization.objects.get_visible(request.actor, pk=organization_id)


def _connection(request: ApiRequest, organization_id: UUID) -> Connection:
    organization = _organization(request, organization_id)
    return Connection.objects.with_parts().get_visible(request.actor, organization=organization)


def _answer(request: ApiRequest, connection: Connection, code: int = status.HTTP_200_OK) -> Response:
    context = {"return_address": partial(return_address, request=request._request)}
    shown = serializers.ConnectionSerializer(connection, context=context)
    return Response(shown.data, status=code, headers=etag(connection))


class ConnectionView(APIView):
    @extend_schema(
        parameters=[ORGANIZATION],
        responses=serializers.ConnectionSerializer,
        operation_id="organizations_single_sign_on_retrieve",
    )
    def get(self, request: ApiRequest, organization_id: UUID) -> Response:
        """How the organization's people are signed in by its own provider; for its administrators."""
        return _answer(request, _connection(request, organization_id))

    @extend_schema(
        parameters=[ORGANIZATION],
        request=serializers.ConnectionWriteSerializer,
        responses={201: serializers.ConnectionSerializer},
        operation_id="organizations_single_sign_on_create",
    )
    def post(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Set single sign-on up. One for each organization."""
        organization = _organization(request, organization_id)
        form = serializers.ConnectionWriteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        made = services.connection_create(actor=request.actor, organization=organization, **form.validated_data)
        return _answer(request, made, status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[ORGANIZATION],
        request=serializers.ConnectionWriteSerializer,
        responses=serializers.ConnectionSerializer,
        operation_id="organizations_single_sign_on_partial_update",
    )
    def patch(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Change it. Another issuer needs the client's secret again; switching off ends the sign-ins made by it."""
        found = _connection(request, organization_id)
        expected = expected_version(request, found)
        form: Any = serializers.ConnectionWriteSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changed = services.connection_change(
            actor=request.actor, connection=found, expected=expected, **form.validated_data
        )
        return _answer(request, changed)

    @extend_schema(
        parameters=[ORGANIZATION], responses={204: REMOVED}, operation_id="organizations_single_sign_on_destroy"
    )
    def delete(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Remove it and end the sign-ins made by it. People stay members, and sign in with a password."""
        services.connection_remove(actor=request.actor, connection=_connection(request, organization_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ConnectionTestView(APIView):
    @extend_schema(
        parameters=[ORGANIZATION],
        request=None,
        responses=serializers.ConnectionCheckSerializer,
        operation_id="organizations_single_sign_on_test",
    )
    def post(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Try it: whether the provider answers, and accepts the client id and its secret."""
        found = _connection(request, organization_id)
        address = return_address(found, request._request)
        check = services.connection_test(actor=request.actor, connection=found, return_address=address)
        return Response(serializers.ConnectionCheckSerializer(check).data)
