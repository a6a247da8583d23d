"""REST for API keys, the catalogue of endpoints, and what the caller may do."""

from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.apikeys import scopes, selectors, services
from apps.apikeys.api import serializers
from apps.apikeys.endpoints import catalogue
from apps.apikeys.models import ApiKey, KeyState
from apps.apikeys.permissions import permissions_of
from apps.core.api.bodies import NOT_KEPT
from apps.core.api.parameters import identifier, integer
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.organizations.models import Organization

DAYS = OpenApiParameter("days", int, description="Of the last so many days, 1 to 90; 30 by default.")


class ApiKeyFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=KeyState.choices, method="by_state", label="State")
    search = django_filters.CharFilter(method="by_text", label="Part of the name, or how a secret begins")
    owner_id = django_filters.UUIDFilter()

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def by_state(self, rows: Any, name: str, value: str) -> Any:
        return rows.in_state(value)

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class ApiKeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ApiKey]):
    """API keys: one's own, and those of the organizations that one manages. A secret is shown when it is made."""

    request: ApiRequest
    queryset = ApiKey.objects.none()
    serializer_class = serializers.ApiKeySerializer
    filterset_class = ApiKeyFilter
    http_method_names = ("get", "post", "patch", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return ApiKey.objects.visible(self.request.actor).with_parts()

    @extend_schema(request=serializers.ApiKeyCreateSerializer, responses={201: serializers.NewApiKeySerializer})
    def create(self, request: ApiRequest) -> Response:
        """Make a key. The answer holds its secret, once."""
        form = serializers.ApiKeyCreateSerializer(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        organization = fields.pop("organization", None) or Organization.objects.get_visible(
            request.actor, pk=request.actor.organization_id
        )
        key, secret = services.key_create(actor=request.actor, organization=organization, **fields)
        return self._with_secret(key, secret, status.HTTP_201_CREATED)

    @extend_schema(request=serializers.ApiKeySerializer, responses=serializers.ApiKeySerializer)
    def partial_update(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Change the name, the end or the limit."""
        key = self.get_object()
        expected = expected_version(request, key)
        form = self.get_serializer(key, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        key = services.key_change(actor=request.actor, key=key, expected=expected, **form.validated_data)
        return Response(self.get_serializer(self.get_object()).data, headers=etag(key))

    @extend_schema(request=serializers.RotationSerializer, responses=serializers.NewApiKeySerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: ApiRequest, pk: str | None = None) -> Response:
        """A new secret; the one before stays valid for the overlap."""
        form = serializers.RotationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        key, secret = services.key_rotate(actor=request.actor, key=self.get_object(), **form.validated_data)
        return self._with_secret(key, secret, status.HTTP_200_OK)

    @extend_schema(request=None, responses=serializers.ApiKeySerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: ApiRequest, pk: str | None = None) -> Response:
        """End the key at once and for ever; its open sockets close."""
        key = services.key_revoke(actor=request.actor, key=self.get_object())
        return Response(self.get_serializer(self.get_object()).data, headers=etag(key))

    @extend_schema(parameters=[DAYS], responses=serializers.KeyUsageSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def usage(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Calls of the key by day and by endpoint, with errors and durations."""
        days = integer(request, "days", 30, 1, 90)
        rows = selectors.usage_rows(request.actor, days=days, key=self.get_object())
        return Response(serializers.KeyUsageSerializer(selectors.key_usage(rows, days=days)).data)

    @extend_schema(responses=serializers.ScopeSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None)
    def scopes(self, request: ApiRequest) -> Response:
        """The permissions that you may give a key in the chosen organization."""
        found = [scopes.scope_of(name) for name in scopes.offered(request.actor)]
        return Response(serializers.ScopeSerializer(found, many=True).data)

    def _with_secret(self, key: ApiKey, secret: str, code: int) -> Response:
        # Also for a key that may make keys and not look at them.
        fresh: Any = ApiKey.objects.visible(self.request.actor.without_scopes()).with_parts().get(pk=key.pk)
        fresh.secret = secret
        body = serializers.NewApiKeySerializer(fresh, context=self.get_serializer_context()).data
        return Response(body, status=code, headers=etag(key) | NOT_KEPT)


class EndpointsView(APIView):
    @extend_schema(
        operation_id="api_endpoints_list",
        parameters=[DAYS, OpenApiParameter("key_id", OpenApiTypes.UUID, description="Calls of this key alone.")],
        responses=serializers.EndpointSerializer(many=True),
    )
    def get(self, request: ApiRequest) -> Response:
        """Every endpoint with its calls: those that you may see, of the chosen organization or of one key."""
        key_id = identifier(request, "key_id")
        key = ApiKey.objects.get_visible(request.actor, pk=key_id) if key_id else None
        rows = selectors.usage_rows(request.actor, days=integer(request, "days", 30, 1, 90), key=key)
        listed = selectors.catalogue_with_traffic(catalogue(), rows)
        return Response(serializers.EndpointSerializer(listed, many=True).data)


class MyPermissionsView(APIView):
    @extend_schema(
        operation_id="me_permissions_retrieve",
        parameters=[
            OpenApiParameter("organization_id", OpenApiTypes.UUID, description="This organization alone."),
            OpenApiParameter("project_id", OpenApiTypes.UUID, description="This project alone."),
        ],
        responses=serializers.MyPermissionsSerializer,
    )
    def get(self, request: ApiRequest) -> Response:
        """What I may do, by organization and by project. An API key is told what is left by its scopes."""
        found = permissions_of(
            request.actor,
            organization_id=identifier(request, "organization_id"),
            project_id=identifier(request, "project_id"),
        )
        return Response(serializers.MyPermissionsSerializer(found).data)
