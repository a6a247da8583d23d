"""Public versions, for readers of every organization: what is given out is named here, column by column."""

from typing import Any

import django_filters
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import policy
from apps.core.api.pagination import KeysetPagination
from apps.core.api.requests import ApiRequest
from apps.datasets import selectors
from apps.datasets.api.filters import PictureQuery, filter_of
from apps.datasets.api.images import ITEM, NOTHING_NEW, VERSION, ImagePages
from apps.datasets.api.pictures import ThumbnailQuery, picture_response, small_picture_response
from apps.datasets.api.serializers.datasets import (
    DatasetClassSerializer,
    DatasetObjectSerializer,
)
from apps.datasets.api.statistics import StatisticsQuery, StatisticsSerializer, statistics_answer
from apps.datasets.api.views import DATASET
from apps.datasets.images import MEDIA_TYPES
from apps.datasets.models import Dataset, Entry, People, Task
from apps.datasets.selectors.images import require_whole
from apps.datasets.selectors.public import (
    READ,
    image_in,
    images_in,
    public_dataset,
    public_datasets,
    public_version,
    public_versions,
    shown_revisions,
)
from apps.datasets.selectors.versions import HEAD, Version
from apps.datasets.services.public_downloads import public_picture_opened

WHICH = OpenApiParameter("version", str, description="r and a number, or a tag; without it the last public one.")


class PublicVersionSerializer(serializers.Serializer[Any]):
    """A version that is public."""

    name = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    revision = serializers.IntegerField(source="revision.no")
    image_count = serializers.IntegerField(source="revision.counts.images")
    labelled_count = serializers.IntegerField(source="revision.counts.labelled")
    box_count = serializers.IntegerField(source="revision.counts.boxes")
    file_count = serializers.IntegerField(source="revision.counts.files")
    byte_count = serializers.IntegerField(source="revision.counts.bytes")
    created_at = serializers.DateTimeField(source="revision.created_at")


class PublicDatasetSerializer(serializers.Serializer[Dataset]):
    """A public dataset, as readers of other organizations see it: of its people and its project nothing. Counts are those
    of the version that was made public last."""

    id = serializers.UUIDField()
    publisher = serializers.CharField(source="organization", help_text="Name of the organization whose it is.")
    name = serializers.CharField()
    description = serializers.CharField()
    licence = serializers.CharField(help_text="SPDX identifier, or own words; empty: nobody has said.")
    people = serializers.ChoiceField(choices=People.choices, allow_blank=True)
    consent = serializers.CharField()
    task = serializers.ChoiceField(choices=Task.choices)
    revision = serializers.IntegerField(source="shown.no", help_text="The one that was made public last.")
    image_count = serializers.IntegerField(source="shown.counts.images")
    labelled_count = serializers.IntegerField(source="shown.counts.labelled")
    box_count = serializers.IntegerField(source="shown.counts.boxes")
    file_count = serializers.IntegerField(source="shown.counts.files")
    byte_count = serializers.IntegerField(source="shown.counts.bytes")


class PublicDatasetDetailSerializer(PublicDatasetSerializer):
    classes = DatasetClassSerializer(many=True, source="shown.classes")
    versions = serializers.SerializerMethodField(help_text="What is public, the last one first.")

    @extend_schema_field(PublicVersionSerializer(many=True))
    def get_versions(self, dataset: Dataset) -> Any:
        return PublicVersionSerializer(public_versions(dataset), many=True).data


class PublicImageSerializer(serializers.Serializer[Entry]):
    id = serializers.IntegerField(source="item_id", help_text="Of the path in the dataset; stable over versions.")
    path = serializers.CharField(source="item.path")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    size = serializers.IntegerField(source="blob.size")
    sha256 = serializers.CharField(source="blob.sha256")
    media_type = serializers.CharField(source="blob.media_type")
    split = serializers.CharField(source="in_split", allow_blank=True, help_text="train, val, test, or empty.")
    labelled = serializers.SerializerMethodField()
    class_ids = serializers.ListField(child=serializers.IntegerField())
    box_count = serializers.IntegerField()

    def get_labelled(self, entry: Entry) -> bool:
        return entry.annotation_id is not None


class PublicImageDetailSerializer(PublicImageSerializer):
    annotations = serializers.SerializerMethodField()

    @extend_schema_field(DatasetObjectSerializer(many=True))
    def get_annotations(self, entry: Entry) -> Any:
        return entry.annotation.document["objects"] if entry.annotation else []


class PublicImageQuery(PictureQuery):
    """What the images of a public version can be narrowed to: by themselves, never by who brought them and when."""

    version = serializers.CharField(max_length=60, required=False, default=HEAD)

    @property
    def wanted(self) -> selectors.ImageFilter:
        return filter_of({name: value for name, value in self.validated_data.items() if name != "version"})


class PublicFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="by_text", label="Part of the name")
    task = django_filters.ChoiceFilter(choices=Task.choices)

    class Meta:
        model = Dataset
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class PublicPages(KeysetPagination):
    @staticmethod
    def _require_scope(queryset: Any, request: Any) -> None:
        policy.require_scope(request.actor, READ)


def read_dataset(request: ApiRequest, dataset_id: Any) -> Dataset:
    """The public dataset of an address below `datasets/public/{id}/`."""
    policy.require_scope(request.actor, READ)
    return public_dataset(request.actor, dataset_id)


class PublicDatasetViewSet(viewsets.ReadOnlyModelViewSet[Dataset]):
    """Datasets of which a version is public, of every organization."""

    request: ApiRequest
    queryset = Dataset.objects.none()
    serializer_class = PublicDatasetSerializer
    filterset_class = PublicFilter
    pagination_class = PublicPages

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return self.queryset if getattr(self, "swagger_fake_view", False) else public_datasets(self.request.actor)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Public datasets, newest first; those of one's own organization are among them."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(self.get_serializer(_with_revisions(rows), many=True).data)

    @extend_schema(responses=PublicDatasetDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One public dataset, with its classes and its public versions."""
        dataset = read_dataset(self.request, self.kwargs["pk"])
        return Response(PublicDatasetDetailSerializer(_with_revisions([dataset])[0]).data)


def _with_revisions(datasets: Any) -> Any:
    found = shown_revisions(datasets)
    for dataset in datasets:
        dataset.shown = found[dataset.pk]
    return datasets


@extend_schema_view(list=extend_schema(parameters=[DATASET, PublicImageQuery]))
class PublicImageViewSet(viewsets.ReadOnlyModelViewSet[Entry]):
    """The images of a public version."""

    request: ApiRequest
    queryset = Entry.objects.none()
    serializer_class = PublicImageSerializer
    pagination_class = ImagePages
    lookup_value_converter = "int"

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        given = self.request.query_params.items()
        form = PublicImageQuery(data={name: value for name, value in given if value != ""})
        form.is_valid(raise_exception=True)
        return images_in(self._version(form.validated_data["version"]), form.wanted)

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset

    @extend_schema(parameters=[DATASET, ITEM, WHICH], responses=PublicImageDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One image of a public version, with its labels."""
        return Response(PublicImageDetailSerializer(self._image()).data)

    @extend_schema(
        parameters=[DATASET, ITEM, WHICH, VERSION],
        responses={**{(200, kind): OpenApiTypes.BINARY for kind in MEDIA_TYPES.values()}, **NOTHING_NEW},
    )
    @action(detail=True, methods=["get"])
    def content(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The file, byte for byte as it was uploaded."""
        image = self._image()
        return picture_response(
            request, image, lambda: public_picture_opened(actor=request.actor, dataset=image.item.dataset)
        )

    @extend_schema(
        parameters=[DATASET, ITEM, WHICH, VERSION, ThumbnailQuery],
        responses={(200, "image/webp"): OpenApiTypes.BINARY, **NOTHING_NEW},
    )
    @action(detail=True, methods=["get"])
    def thumbnail(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A small upright copy as WebP, without metadata."""
        blob = self._image().blob
        require_whole(blob)
        return small_picture_response(request, blob)

    def _version(self, name: str) -> Version:
        return public_version(read_dataset(self.request, self.kwargs["dataset_id"]), name)

    def _image(self) -> Entry:
        form = StatisticsQuery(data={"version": self.request.query_params.get("version") or HEAD})
        form.is_valid(raise_exception=True)
        return image_in(self._version(form.validated_data["version"]), self.kwargs["pk"])


class PublicStatisticsView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_public_statistics_retrieve",
        parameters=[DATASET, StatisticsQuery],
        responses=StatisticsSerializer,
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """How classes, boxes and pictures are spread over all images of a public version."""
        dataset = read_dataset(request, dataset_id)
        form = StatisticsQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        return statistics_answer(public_version(dataset, form.validated_data["version"]))
