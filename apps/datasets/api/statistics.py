"""Figures over all images of a version."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.requests import ApiRequest
from apps.datasets.api.serializers.datasets import SplitCountSerializer
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.selectors import statistics
from apps.datasets.selectors.versions import HEAD, Version, version_named
from apps.datasets.services.statistics import statistics_ask


class StatisticsQuery(serializers.Serializer[Any]):
    version = serializers.CharField(
        max_length=60, default=HEAD, help_text="A tag, r and the number of a revision, or head."
    )


class ClassFiguresSerializer(serializers.Serializer[Any]):
    """Counts by split: train, val, test and, for no split, an empty name."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    images = serializers.DictField(child=serializers.IntegerField())
    objects = serializers.DictField(child=serializers.IntegerField())


class GridField(serializers.ListField):
    child = serializers.ListField(child=serializers.IntegerField())


class StatisticsSerializer(serializers.Serializer[Any]):
    """Counts of images and objects. `side_bounds` and `object_bounds` are where the columns of `sides` and `objects`
    begin, but for the first; `places` and `extents` are grids over the picture: where the middles of the boxes lie, rows
    from the top, and how large boxes are, rows from the lowest."""

    is_ready = serializers.BooleanField(help_text="False while a worker counts: everything else is empty. Ask again.")
    version = serializers.CharField()
    revision = serializers.IntegerField()
    splits = serializers.DictField(child=SplitCountSerializer())
    classes = ClassFiguresSerializer(many=True)
    side_bounds = serializers.ListField(child=serializers.IntegerField())
    sides = serializers.ListField(child=serializers.IntegerField(), help_text="Images by their longer side.")
    sizes = GridField(help_text="The most frequent sizes: width, height, images.")
    object_bounds = serializers.ListField(child=serializers.IntegerField())
    objects = serializers.ListField(child=serializers.IntegerField(), help_text="Labelled images by their objects.")
    places = GridField()
    extents = GridField()


EMPTY: dict[str, Any] = {
    "splits": {},
    "classes": [],
    "sides": [],
    "sizes": [],
    "objects": [],
    "places": [],
    "extents": [],
}


class StatisticsView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_statistics_retrieve",
        parameters=[DATASET, StatisticsQuery],
        responses=StatisticsSerializer,
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """How classes, boxes and pictures are spread over all images of a version; counted once, by a worker."""
        dataset = visible_dataset(request, dataset_id)
        form = StatisticsQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        return statistics_answer(version_named(dataset, form.validated_data["version"]))


def statistics_answer(version: Version) -> Response:
    """The figures of a version, or that a worker counts them."""
    found = statistics_ask(version)
    answer = {
        "is_ready": found is not None,
        "version": version.name,
        "revision": version.no,
        "side_bounds": statistics.SIDES,
        "object_bounds": statistics.OBJECTS,
        **(found.figures if found else EMPTY),
    }
    return Response(StatisticsSerializer(answer).data)
