"""REST for oneself and organizations."""

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.accounts.services import profile_update
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.core.errors import Conflict
from apps.organizations import services
from apps.organizations.api import serializers
from apps.organizations.models import Membership, Organization
from apps.organizations.services import quotas


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
    http_method_names = ("get", "post", "patch", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return Organization.objects.visible(self.request.actor)

    @extend_schema(request=serializers.OrganizationAskSerializer, responses={201: serializers.MembershipSerializer})
    def create(self, request: ApiRequest) -> Response:
        """Found an organization, or ask to join the one of this company and division.

        The answer's `state` tells whether I belong to it at once. Tokens are for one organization each: issue another.
        """
        form = serializers.OrganizationAskSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        membership = services.organization_ask(actor=request.actor, **form.validated_data)
        if membership is None:
            raise Conflict(
                _("This organization takes people by invitation only."),
                code="invitation_only",
                hint=_("Its managers see that you asked."),
            )
        return Response(serializers.MembershipSerializer(membership).data, status=status.HTTP_201_CREATED)

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
