from typing import Any

from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.organizations.models import Organization
from apps.resources import services
from apps.resources.api.serializers import NodeSerializer, ResourceGroupSerializer
from apps.resources.models import Node, ResourceGroup


class ResourceGroupViewSet(viewsets.ModelViewSet[ResourceGroup]):
    """Resource groups that I may use."""

    request: ApiRequest
    queryset = ResourceGroup.objects.none()
    serializer_class = ResourceGroupSerializer
    http_method_names = ("get", "post", "patch", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return ResourceGroup.objects.visible(self.request.actor).with_counts()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        organization = fields.pop("organization", None) or Organization.objects.get_visible(
            self.request.actor, pk=self.request.actor.organization_id
        )
        group = services.group_create(actor=self.request.actor, organization=organization, **fields)
        return self._answer(group, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        group = self.get_object()
        expected = expected_version(request, group)
        form = self.get_serializer(group, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return self._answer(
            services.group_change(actor=self.request.actor, group=group, expected=expected, **form.validated_data)
        )

    def _answer(self, group: ResourceGroup, code: int = status.HTTP_200_OK) -> Response:
        fresh = ResourceGroup.objects.visible(self.request.actor).with_counts().get(pk=group.pk)
        return Response(self.get_serializer(fresh).data, status=code, headers=etag(group))


class NodeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Node]):
    """Machines of the resource groups that I may use."""

    request: ApiRequest
    queryset = Node.objects.none()
    serializer_class = NodeSerializer
    filterset_fields = ("state",)

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return Node.objects.visible(self.request.actor)
