"""Exports and deletion of an organization, and of one's own account, over REST."""

from collections.abc import Iterator
from uuid import UUID

from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from apps.core.api.bodies import file_response
from apps.core.api.requests import ApiRequest
from apps.core.api.schema import BodyOnDelete
from apps.core.errors import Invalid, NotFound
from apps.core.identity import require_own_proof
from apps.departures import services
from apps.departures.api import serializers
from apps.departures.models import OrganizationExport
from apps.departures.selectors import scheduled_deletion
from apps.departures.services.accounts import prove
from apps.organizations.api.views import MeView as ProfileView
from apps.organizations.models import Organization

ORGANIZATION = OpenApiParameter("organization_id", UUID, OpenApiParameter.PATH, description="The organization.")
DONE = OpenApiResponse(description="Done.")


def _organization(request: ApiRequest, organization_id: UUID) -> Organization:
    return Organization.objects.get_visible(request.actor, pk=organization_id)


@extend_schema_view(list=extend_schema(parameters=[ORGANIZATION]), retrieve=extend_schema(parameters=[ORGANIZATION]))
class ExportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[OrganizationExport]):
    """Exports of a whole organization; for its administrators."""

    request: ApiRequest
    queryset = OrganizationExport.objects.none()
    serializer_class = serializers.ExportSerializer
    http_method_names = ("get", "post", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        organization = _organization(self.request, self.kwargs["organization_id"])
        rows = OrganizationExport.objects.visible(self.request.actor).filter(organization=organization)
        return rows.select_related("requested_by")

    @extend_schema(parameters=[ORGANIZATION], request=None, responses={202: serializers.ExportSerializer})
    def create(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Have everything written into one ZIP; `GET …/exports/{id}` tells how far it is. One at a time."""
        organization = _organization(request, organization_id)
        export = services.export_request(actor=request.actor, organization=organization)
        return Response(self.get_serializer(export).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[ORGANIZATION], responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True)
    def download(self, request: ApiRequest, organization_id: UUID, pk: str = "") -> HttpResponseBase:
        """The ZIP, until it expires. A download is an event of the audit log."""
        export = self.get_object()
        pieces: Iterator[bytes] = services.export_download(actor=request.actor, export=export)
        name = f"modelyard-{export.organization_id}-{export.created_at:%Y%m%d}.zip"
        response = file_response(
            request, pieces, tag=export.sha256, media_type="application/zip", name=name, size=export.byte_count
        )
        response["Cache-Control"] = "private, no-store"
        return response

    def perform_content_negotiation(self, request, force=False):  # type: ignore[no-untyped-def]
        """Who asks for the file gets it, whatever the header says."""
        return super().perform_content_negotiation(request, force=True)


class DeletionView(APIView):
    """The deletion of an organization: decided, looked at, cancelled."""

    request: ApiRequest

    @extend_schema(
        parameters=[ORGANIZATION],
        responses=serializers.DeletionSerializer,
        operation_id="organizations_deletion_retrieve",
    )
    def get(self, request: ApiRequest, organization_id: UUID) -> Response:
        """The deletion whose grace runs; 404 where there is none."""
        _organization(request, organization_id)
        deletion = scheduled_deletion(request.actor, organization_id)
        if deletion is None:
            raise NotFound(_("No deletion of this organization is scheduled."))
        return Response(serializers.DeletionSerializer(deletion).data)

    @extend_schema(
        parameters=[ORGANIZATION],
        request=serializers.ScheduleSerializer,
        responses={201: serializers.DeletionSerializer},
        operation_id="organizations_deletion_create",
    )
    def post(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Close the organization now, and delete it with everything in it when the grace is over."""
        organization = _organization(request, organization_id)
        form = serializers.ScheduleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        deletion = services.deletion_schedule(actor=request.actor, organization=organization, **form.validated_data)
        return Response(serializers.DeletionSerializer(deletion).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[ORGANIZATION],
        request=None,
        responses={200: serializers.DeletionSerializer},
        operation_id="organizations_deletion_destroy",
    )
    def delete(self, request: ApiRequest, organization_id: UUID) -> Response:
        """Cancel: the organization is open again, and nothing is lost."""
        _organization(request, organization_id)
        deletion = scheduled_deletion(request.actor, organization_id)
        if deletion is None:
            raise NotFound(_("No deletion of this organization is scheduled."))
        deletion = services.deletion_cancel(actor=request.actor, deletion=deletion)
        return Response(serializers.DeletionSerializer(deletion).data)


class MeView(ProfileView):
    """The profile, and its end."""

    schema = BodyOnDelete()

    @extend_schema(request=serializers.AccountDeletionSerializer, responses={204: DONE}, operation_id="me_destroy")
    def delete(self, request: ApiRequest) -> Response:
        """Delete one's own account, for good. Refused to the last administrator of an organization (`last_admin`)."""
        assert request.user.is_authenticated
        form = serializers.AccountDeletionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        require_own_proof(request.actor)
        prove(request._request, request.user, form.validated_data["password"])
        services.account_delete(
            actor=request.actor,
            user=request.user,
            email=form.validated_data["email"],
            heirs={_uuid(key): person for key, person in form.validated_data["heirs"].items()},
        )
        if hasattr(request._request, "session"):
            request._request.session.flush()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_throttles(self):  # type: ignore[no-untyped-def]
        """A password is tried here as at sign-in."""
        if self.request.method != "DELETE":
            return super().get_throttles()
        self.throttle_scope = "sign_in"
        return [ScopedRateThrottle()]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        message = _("The id of an organization is expected.")
        raise Invalid(message, fields={"heirs": [message]}) from error
