"""REST for shares of one object."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import policy
from apps.core.api.requests import ApiRequest
from apps.shares import selectors, services
from apps.shares.api import serializers
from apps.shares.models import Level

OBJECT = [
    OpenApiParameter("object_type", str, required=True, description=serializers.OBJECT),
    OpenApiParameter("object_id", OpenApiTypes.UUID, required=True),
]
DONE = OpenApiResponse(description="Done.")


class SharesView(APIView):
    @extend_schema(parameters=OBJECT, responses=serializers.SharesSerializer, operation_id="shares_list")
    def get(self, request: ApiRequest) -> Response:
        """Shares of an object: all of them for those who manage it, one's own for others."""
        query = serializers.ShareObjectSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        obj = selectors.object_for(request.actor, **_named(query.validated_data))
        found = selectors.shares_of(request.actor, obj)
        return Response(serializers.SharesSerializer({"results": found}).data)

    @extend_schema(
        request=serializers.ShareCreateSerializer,
        responses={201: serializers.ShareSerializer},
        operation_id="shares_create",
    )
    def post(self, request: ApiRequest) -> Response:
        """Share an object with a person or a project of its organization; a grantee that has a share gets the level."""
        form = serializers.ShareCreateSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        fields = dict(form.validated_data)
        obj = selectors.object_for(request.actor, fields.pop("object_type"), fields.pop("object_id"))
        share = services.share_set(actor=request.actor, obj=obj, **{**fields, "level": Level(fields["level"])})
        return Response(_written(request, share.pk), status=status.HTTP_201_CREATED)


class ShareView(APIView):
    @extend_schema(responses=serializers.ShareSerializer, operation_id="shares_retrieve")
    def get(self, request: ApiRequest, pk: str) -> Response:
        return Response(serializers.ShareSerializer(selectors.share_for(request.actor, pk)).data)

    @extend_schema(
        request=serializers.ShareChangeSerializer,
        responses=serializers.ShareSerializer,
        operation_id="shares_partial_update",
    )
    def patch(self, request: ApiRequest, pk: str) -> Response:
        """Give another level."""
        found = selectors.share_for(request.actor, pk)
        policy.require(request.actor, found.kind.manage, found.share.content_object)
        form = serializers.ShareChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.share_set(
            actor=request.actor,
            obj=found.share.content_object,
            user=found.user,
            project=found.project,
            level=Level(form.validated_data["level"]),
        )
        return Response(_written(request, pk))

    @extend_schema(responses={204: DONE}, operation_id="shares_destroy")
    def delete(self, request: ApiRequest, pk: str) -> Response:
        """Take a share back, or give up one's own."""
        services.share_remove(actor=request.actor, share=selectors.share_for(request.actor, pk).share)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AccessView(APIView):
    @extend_schema(
        parameters=OBJECT, responses=serializers.AccessTableSerializer, operation_id="shares_access_retrieve"
    )
    def get(self, request: ApiRequest) -> Response:
        """Who can see an object and why: role, project membership, share. Of the people whom I may know."""
        query = serializers.ShareObjectSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        obj = selectors.object_for(request.actor, **_named(query.validated_data))
        return Response(serializers.AccessTableSerializer(selectors.access_of(request.actor, obj)).data)


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": fields["object_type"], "pk": fields["object_id"]}


def _written(request: ApiRequest, pk: Any) -> Any:
    """What was written, also to a key that may share and not look at shares."""
    return serializers.ShareSerializer(selectors.share_for(request.actor.without_scopes(), pk)).data
