from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.pagination import KeysetPagination
from apps.core.api.requests import ApiRequest
from apps.datasets import selectors
from apps.datasets.api.acts import ImageActs
from apps.datasets.api.filters import ImageQuery, image_filter
from apps.datasets.api.pictures import ThumbnailQuery, picture_response, small_picture_response
from apps.datasets.api.serializers.datasets import DatasetImageDetailSerializer, DatasetImageSerializer
from apps.datasets.api.views import DATASET
from apps.datasets.images import MEDIA_TYPES
from apps.datasets.models import Entry
from apps.datasets.selectors.choosing import MOST_IMAGES
from apps.datasets.selectors.versions import image_at
from apps.datasets.services.pictures import picture_opened

ITEM = OpenApiParameter("id", int, OpenApiParameter.PATH, description="The image.")
VERSION = OpenApiParameter("v", str, description="Beginning of the sha256; then the answer may be kept for ever.")
REVISION = OpenApiParameter("revision", int, description="As it was in this revision; without it, as it is now.")
NOTHING_NEW = {304: None}


class ImagePages(KeysetPagination):
    """By item: in path order within an upload, uploads one after the other."""

    ordering = "item_id"


class ImageCountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    is_more = serializers.BooleanField(help_text="There are more than these.")


class RevisionQuery(serializers.Serializer[Any]):
    revision = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


@extend_schema_view(list=extend_schema(parameters=[DATASET, ImageQuery]))
class ImageViewSet(ImageActs, viewsets.ReadOnlyModelViewSet[Entry]):
    """The images that a dataset holds now."""

    request: ApiRequest
    queryset = Entry.objects.none()
    serializer_class = DatasetImageSerializer
    pagination_class = ImagePages
    lookup_value_converter = "int"

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.images_of(self._dataset(), image_filter(self.request.query_params))

    @extend_schema(parameters=[DATASET, ImageQuery], responses=ImageCountSerializer)
    @action(detail=False, methods=["get"], pagination_class=None)
    def count(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """How many images match, counted up to what one act takes."""
        count = selectors.counted(self.get_queryset(), MOST_IMAGES)
        return Response({"count": min(count, MOST_IMAGES), "is_more": count > MOST_IMAGES})

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset

    @extend_schema(parameters=[DATASET, ITEM, REVISION], responses=DatasetImageDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One image, with its labels."""
        return Response(DatasetImageDetailSerializer(self._image()).data)

    @extend_schema(
        parameters=[DATASET, ITEM, REVISION, VERSION],
        responses={**{(200, kind): OpenApiTypes.BINARY for kind in MEDIA_TYPES.values()}, **NOTHING_NEW},
    )
    @action(detail=True, methods=["get"])
    def content(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The file, byte for byte as it was uploaded."""
        image = self._image()
        return picture_response(
            request, image, lambda: picture_opened(actor=request.actor, dataset=image.item.dataset)
        )

    @extend_schema(
        parameters=[DATASET, ITEM, REVISION, VERSION, ThumbnailQuery],
        responses={(200, "image/webp"): OpenApiTypes.BINARY, **NOTHING_NEW},
    )
    @action(detail=True, methods=["get"])
    def thumbnail(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A small upright copy as WebP, without metadata."""
        return small_picture_response(request, self._image().blob)

    def _image(self) -> Entry:
        dataset = self._dataset()
        form = RevisionQuery(data=self.request.query_params)
        form.is_valid(raise_exception=True)
        revision_no = form.validated_data.get("revision")
        if revision_no is None:
            return selectors.image_of(dataset, self.kwargs["pk"])
        return image_at(dataset, self.kwargs["pk"], revision_no)
