from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import policy
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.core.errors import NotFound
from apps.departures.api.serializers import PurgeSerializer
from apps.organizations.models import Organization
from apps.projects import services
from apps.projects.api.serializers import (
    ProjectMembershipSerializer,
    ProjectSerializer,
    ProjectTransferSerializer,
    TrashedProjectSerializer,
)
from apps.projects.models import Project, ProjectMembership

#: The permission that an act on the trash asks for its rows.
TRASH = {
    "trash": "projects.restore_project",
    "restore": "projects.restore_project",
    "purge": "projects.purge_project",
}


class ProjectFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="by_text", label="Part of the name")
    archived = django_filters.BooleanFilter(method="by_archive", label="Only those in the archive, or only the others")

    class Meta:
        model = Project
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)

    def by_archive(self, rows: Any, name: str, value: bool) -> Any:
        return rows.archived(value)


class ProjectViewSet(viewsets.ModelViewSet[Project]):
    """Projects that I may see."""

    request: ApiRequest
    queryset = Project.objects.none()
    serializer_class = ProjectSerializer
    filterset_class = ProjectFilter
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        if self.action in TRASH:
            return Project.objects.permitted(self.request.actor, TRASH[self.action]).with_counts()
        return Project.objects.visible(self.request.actor).with_counts()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        organization = fields.pop("organization", None) or Organization.objects.get_visible(
            self.request.actor, pk=self.request.actor.organization_id
        )
        project = services.project_create(actor=self.request.actor, organization=organization, **fields)
        return self._answer(project, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        project = self.get_object()
        expected = expected_version(request, project)
        form = self.get_serializer(project, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return self._answer(
            services.project_change(
                actor=self.request.actor, project=project, expected=expected, **form.validated_data
            )
        )

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Move to the trash; `restore` brings it back."""
        services.project_trash(actor=self.request.actor, project=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Bring a project back from the trash."""
        return self._answer(services.project_restore(actor=request.actor, project=self.get_object()))

    @extend_schema(responses=TrashedProjectSerializer(many=True))
    @action(detail=False, methods=["get"])
    def trash(self, request: ApiRequest) -> Response:
        """Projects in the trash that I may bring back, and when each is deleted for good."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(TrashedProjectSerializer(rows, many=True).data)

    @extend_schema(request=PurgeSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def purge(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Delete a project in the trash for good, with all it holds. Refused while something elsewhere needs it."""
        project = self.get_object()
        form = PurgeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.project_purge(actor=request.actor, project=project, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Put a project away: it can be seen, and changed no more. Refused while work in it is going on."""
        return self._answer(services.project_archive(actor=request.actor, project=self.get_object()))

    @extend_schema(request=None, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def unarchive(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Take a project out of the archive."""
        return self._answer(services.project_unarchive(actor=request.actor, project=self.get_object()))

    @extend_schema(request=ProjectTransferSerializer, responses=ProjectSerializer)
    @action(detail=True, methods=["post"])
    def transfer(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Hand a project over to a member of the organization; who owned it stays as an editor."""
        project = self.get_object()
        policy.require(request.actor, "projects.change_project", project)
        form = ProjectTransferSerializer(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        return self._answer(services.project_transfer(actor=request.actor, project=project, **form.validated_data))

    def _answer(self, project: Project, code: int = status.HTTP_200_OK) -> Response:
        fresh = Project.objects.visible(self.request.actor).with_counts().get(pk=project.pk)
        return Response(self.get_serializer(fresh).data, status=code, headers=etag(project))


PROJECT = OpenApiParameter("project_id", str, OpenApiParameter.PATH, description="The project.")


@extend_schema_view(
    **{name: extend_schema(parameters=[PROJECT]) for name in ("list", "create", "partial_update", "destroy")}
)
class ProjectMembershipViewSet(viewsets.ModelViewSet[ProjectMembership]):
    """Members of a project."""

    request: ApiRequest
    queryset = ProjectMembership.objects.none()
    serializer_class = ProjectMembershipSerializer
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = ProjectMembership.objects.visible(self.request.actor).filter(project=self._project())
        return rows.select_related("user", "project")

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        project = self._project()
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        membership = services.member_add(actor=self.request.actor, project=project, **form.validated_data)
        return Response(self.get_serializer(membership).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        membership = self.get_object()
        form = self.get_serializer(membership, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        role = form.validated_data.get("role", membership.role)
        membership = services.member_change(actor=self.request.actor, membership=membership, role=role)
        return Response(self.get_serializer(membership).data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        services.member_remove(actor=self.request.actor, membership=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _project(self) -> Project:
        try:
            return Project.objects.get_visible(self.request.actor, pk=self.kwargs["project_id"])
        except ValueError as error:
            raise NotFound() from error
