"""The audit log over REST: four scopes, each as a list and as an export; signed heads; verifications."""

from typing import Any
from uuid import UUID

import django_filters
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import services
from apps.audit.api.serializers import AuditLogSerializer, CheckSerializer, HeadSerializer
from apps.audit.downloads import export_response, verifier_response
from apps.audit.models import AuditCheck, AuditEvent, AuditHead
from apps.audit.selectors import (
    EventFilter,
    Scope,
    entity_scope,
    narrowed,
    organization_scope,
    project_scope,
    readable,
    rows_of,
)
from apps.audit.services.exporting import Format
from apps.core import policy
from apps.core.api.requests import ApiRequest
from apps.core.errors import Invalid, NotFound

SEARCH = "Beginnings of words of names and values, of a person's name, or of the action; or a whole id."
AS = OpenApiParameter("as", str, enum=[str(found) for found in Format], default="jsonl")
ENTITY = [
    OpenApiParameter("entity_type", str, OpenApiParameter.PATH, description="Such as `projects.project`."),
    OpenApiParameter("entity_id", str, OpenApiParameter.PATH),
]
PROJECT = [OpenApiParameter("project_id", OpenApiTypes.UUID, OpenApiParameter.PATH)]
FILE: dict[Any, Any] = {(200, "application/x-ndjson"): OpenApiTypes.BINARY, (200, "text/csv"): OpenApiTypes.BINARY}
EVENTS = AuditLogSerializer(many=True)
TYPE_PATH = r"entity/(?P<entity_type>[a-z_]+\.[a-z_]+)/(?P<entity_id>[^/]{1,80})"
PROJECT_PATH = r"project/(?P<project_id>[0-9a-f-]{36})"


class AuditLogFilter(django_filters.FilterSet):
    action = django_filters.CharFilter()
    entity_type = django_filters.CharFilter()
    entity_id = django_filters.CharFilter()
    project_id = django_filters.UUIDFilter()
    actor_id = django_filters.UUIDFilter()
    after = django_filters.IsoDateTimeFilter(field_name="time", label="From this moment on")
    before = django_filters.IsoDateTimeFilter(field_name="time", label="Before this moment")
    q = django_filters.CharFilter(field_name="action", label=SEARCH)

    class Meta:
        model = AuditEvent
        fields: list[str] = []

    @property
    def wanted(self) -> EventFilter:
        found = self.form.cleaned_data
        names = ("action", "entity_type", "entity_id", "actor_id", "project_id")
        given = {name: found[name] for name in names if found.get(name)}
        text = (found.get("q") or "")[:200]
        return EventFilter(**given, since=found.get("after"), until=found.get("before"), text=text)

    def filter_queryset(self, queryset: Any) -> Any:
        view = self.request.parser_context["view"]
        return narrowed(queryset, self.request.actor, view.scope, self.wanted)


class AuditLogViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[AuditEvent]):
    """What happened: one's own events, and the organization's for its managers and administrators."""

    request: ApiRequest
    queryset = AuditEvent.objects.none()
    serializer_class = AuditLogSerializer
    filterset_class = AuditLogFilter
    scope: Scope | None = None

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return (
            rows_of(self.request.actor, self.scope) if self.scope else AuditEvent.objects.visible(self.request.actor)
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(
            AuditLogSerializer(readable(page or [], self.request.actor, self.scope), many=True).data
        )

    @extend_schema(responses=EVENTS)
    @action(detail=False)
    def me(self, request: ApiRequest) -> Response:
        """What I did."""
        return self._listed(Scope("me"))

    @extend_schema(responses=EVENTS)
    @action(detail=False)
    def organization(self, request: ApiRequest) -> Response:
        """Everything in the organization that the token was issued for; for managers and administrators."""
        return self._listed(organization_scope(request.actor))

    @extend_schema(parameters=PROJECT, responses=EVENTS)
    @action(detail=False, url_path=PROJECT_PATH)
    def project(self, request: ApiRequest, project_id: str = "") -> Response:
        """Everything in a project; for those who own or manage it."""
        return self._listed(project_scope(request.actor, _uuid(project_id)))

    @extend_schema(parameters=ENTITY, responses=EVENTS)
    @action(detail=False, url_path=TYPE_PATH)
    def entity(self, request: ApiRequest, entity_type: str = "", entity_id: str = "") -> Response:
        """The history of one object, for those who see it."""
        return self._listed(entity_scope(request.actor, entity_type, _text(entity_id)))

    @extend_schema(parameters=[AS], responses=FILE, filters=True, operation_id="audit_logs_me_export")
    @action(detail=False, url_path="me/export", pagination_class=None)
    def me_export(self, request: ApiRequest) -> HttpResponseBase:
        """What I did, as a file. An export is an event itself."""
        return self._exported(Scope("me"))

    @extend_schema(parameters=[AS], responses=FILE, filters=True, operation_id="audit_logs_organization_export")
    @action(detail=False, url_path="organization/export", pagination_class=None)
    def organization_export(self, request: ApiRequest) -> HttpResponseBase:
        """The organization's log as a file; without filters a whole chain that the verifier can check for gaps."""
        return self._exported(organization_scope(request.actor))

    @extend_schema(parameters=[*PROJECT, AS], responses=FILE, filters=True, operation_id="audit_logs_project_export")
    @action(detail=False, url_path=f"{PROJECT_PATH}/export", pagination_class=None)
    def project_export(self, request: ApiRequest, project_id: str = "") -> HttpResponseBase:
        """A project's log as a file."""
        return self._exported(project_scope(request.actor, _uuid(project_id)))

    @extend_schema(parameters=[*ENTITY, AS], responses=FILE, filters=True, operation_id="audit_logs_entity_export")
    @action(detail=False, url_path=f"{TYPE_PATH}/export", pagination_class=None)
    def entity_export(self, request: ApiRequest, entity_type: str = "", entity_id: str = "") -> HttpResponseBase:
        """The history of one object as a file."""
        return self._exported(entity_scope(request.actor, entity_type, _text(entity_id)))

    @extend_schema(responses={(200, "text/x-python"): OpenApiTypes.BINARY})
    @action(detail=False, pagination_class=None, filterset_class=None)
    def verifier(self, request: ApiRequest) -> HttpResponse:
        """The program that checks an export without the portal: one file of Python's own library."""
        return verifier_response()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Who asks for a table gets one by its address, whatever the header says."""
        return super().perform_content_negotiation(request, force=True)

    def _listed(self, scope: Scope) -> Response:
        policy.require_scope(self.request.actor, "audit.view_auditevent")
        self.scope = scope
        return self.list(self.request)

    def _exported(self, scope: Scope) -> HttpResponseBase:
        self.scope = scope
        found = AuditLogFilter(self.request.query_params, AuditEvent.objects.none(), request=self.request)
        if not found.is_valid():
            raise Invalid("; ".join(found.errors), fields={name: list(texts) for name, texts in found.errors.items()})
        return export_response(self.request.actor, scope, found.wanted, self.request.query_params.get("as", "jsonl"))


class AuditHeadViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[AuditHead]):
    """Signed heads of the chains that I follow, to be kept where nobody here can change them."""

    request: ApiRequest
    queryset = AuditHead.objects.none()
    serializer_class = HeadSerializer

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return AuditHead.objects.visible(self.request.actor)


class AuditCheckViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[AuditCheck]):
    """Verifications of the chains that I follow."""

    request: ApiRequest
    queryset = AuditCheck.objects.none()
    serializer_class = CheckSerializer

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return AuditCheck.objects.visible(self.request.actor)

    @extend_schema(request=None, responses={202: CheckSerializer})
    def create(self, request: ApiRequest) -> Response:
        """Have the organization's chain verified; the result is in `GET audit-checks/{id}` soon."""
        scope = organization_scope(request.actor)
        check = services.check_request(actor=request.actor, chain=scope.organization_id or services.PLATFORM)
        return Response(CheckSerializer(check).data, status=status.HTTP_202_ACCEPTED)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def _text(text: str) -> str:
    if "\0" in text:
        raise NotFound()
    return text
