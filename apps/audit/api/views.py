from typing import Any

import django_filters
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.api.serializers import AuditLogSerializer
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.api.requests import ApiRequest


class AuditLogFilter(django_filters.FilterSet):
    after = django_filters.IsoDateTimeFilter(field_name="time", lookup_expr="gte")
    before = django_filters.IsoDateTimeFilter(field_name="time", lookup_expr="lt")
    project_id = django_filters.UUIDFilter()
    actor_id = django_filters.UUIDFilter()

    class Meta:
        model = AuditEvent
        fields = ["action", "entity_type", "entity_id"]


class AuditLogViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[AuditEvent]):
    """What happened: one's own events, and the organization's for its managers and administrators."""

    request: ApiRequest
    queryset = AuditEvent.objects.none()
    serializer_class = AuditLogSerializer
    filterset_class = AuditLogFilter

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return AuditEvent.objects.visible(self.request.actor)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(AuditLogSerializer(readable(page or []), many=True).data)
