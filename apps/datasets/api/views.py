from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.bodies import StreamParser, body_of
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.datasets import selectors, services
from apps.datasets.api.serializers.datasets import (
    DatasetDetailSerializer,
    DatasetSerializer,
    ReleaseSerializer,
    SplitSerializer,
    SplitSetSerializer,
    TrashedDatasetSerializer,
)
from apps.datasets.api.serializers.uploads import AnalyzeSerializer, DatasetAnalysisSerializer, analysis_answer
from apps.datasets.models import TAG_CHARACTERS, Dataset, Task, Visibility
from apps.datasets.selectors.splits import split_view
from apps.departures.api.serializers import PurgeSerializer

DATASET = OpenApiParameter("dataset_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The dataset.")


#: The permission that an act on the trash asks for its rows.
TRASH = {
    "trash": "datasets.restore_dataset",
    "restore": "datasets.restore_dataset",
    "purge": "datasets.purge_dataset",
}


def visible_dataset(request: ApiRequest, dataset_id: Any) -> Dataset:
    """The dataset of an address below `datasets/{id}/`."""
    return Dataset.objects.select_related("split_plan__base").get_visible(request.actor, pk=dataset_id)


class DatasetFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="by_text", label="Part of the name")
    project_id = django_filters.UUIDFilter(field_name="project_id")
    task = django_filters.ChoiceFilter(choices=Task.choices)
    visibility = django_filters.ChoiceFilter(choices=Visibility.choices)
    tag = django_filters.CharFilter(
        method="by_tag", label="One of its tags, as it is written", max_length=TAG_CHARACTERS
    )

    class Meta:
        model = Dataset
        fields: list[str] = []

    def by_tag(self, rows: Any, name: str, value: str) -> Any:
        return rows.tagged(value)

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class DatasetViewSet(viewsets.ModelViewSet[Dataset]):
    """Datasets that I may see."""

    request: ApiRequest
    queryset = Dataset.objects.none()
    serializer_class = DatasetSerializer
    filterset_class = DatasetFilter
    http_method_names = ("get", "post", "put", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        if self.action in TRASH:
            return Dataset.objects.permitted(self.request.actor, TRASH[self.action])
        rows = Dataset.objects.visible(self.request.actor).select_related("split_plan__base")
        return rows.filter(organization=self.request.actor.organization_id) if self.action == "organization" else rows

    @extend_schema(responses=DatasetSerializer(many=True))
    @action(detail=False, methods=["get"])
    def organization(self, request: ApiRequest) -> Response:
        """Those of the organization that the token or key is for, whichever others I belong to."""
        return self.list(request)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        dataset = services.dataset_create(actor=self.request.actor, **form.validated_data)
        return self._answer(dataset, status.HTTP_201_CREATED)

    @extend_schema(responses=DatasetDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One dataset, with its classes."""
        dataset = self.get_object()
        dataset.classes = selectors.classes_of(dataset)  # type: ignore[attr-defined]  # for the answer alone
        return Response(DatasetDetailSerializer(dataset).data, headers=etag(dataset))

    @extend_schema(exclude=True)
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.http_method_not_allowed(request)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        dataset = self.get_object()
        expected = expected_version(request, dataset)
        form = self.get_serializer(dataset, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return self._answer(
            services.dataset_change(
                actor=self.request.actor, dataset=dataset, expected=expected, **form.validated_data
            )
        )

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Move to the trash; `restore` brings it back."""
        services.dataset_trash(actor=self.request.actor, dataset=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=DatasetSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Bring a dataset back from the trash."""
        return self._answer(services.dataset_restore(actor=request.actor, dataset=self.get_object()))

    @extend_schema(responses=TrashedDatasetSerializer(many=True))
    @action(detail=False, methods=["get"])
    def trash(self, request: ApiRequest) -> Response:
        """Datasets in the trash that I may bring back, and when each is deleted for good."""
        rows: Any = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        counts = selectors.needing([dataset.pk for dataset in rows])
        for dataset in rows:
            dataset.training_count = counts.get(dataset.pk, 0)
        return self.get_paginated_response(TrashedDatasetSerializer(rows, many=True).data)

    @extend_schema(request=PurgeSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def purge(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Delete a dataset in the trash for good, with all its versions. Refused while a training refers to it."""
        dataset = self.get_object()
        form = PurgeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.dataset_purge(actor=request.actor, dataset=dataset, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=ReleaseSerializer, responses=DatasetSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Make a version public, for everybody who is signed in to this portal.

        In every organization people may then read and download its files, labels, classes and split, and what the
        dataset says of itself.
        """
        form = ReleaseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        return self._answer(services.version_release(actor=request.actor, dataset=self.get_object(), **given))

    @extend_schema(request=None, responses=DatasetSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Take every version back from the public, at once; the dataset is its project's again."""
        return self._answer(services.dataset_withdraw(actor=request.actor, dataset=self.get_object()))

    @extend_schema(
        request={"application/octet-stream": OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("lenient", bool, description="Some errors count as warnings.")],
        responses=DatasetAnalysisSerializer,
    )
    @action(detail=True, methods=["post"], parser_classes=[StreamParser])
    def analyze(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Analyse an archive (ZIP, TAR, TAR.GZ) at once, without storing anything."""
        form = AnalyzeSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        stream, _length = body_of(request)
        found = services.analyse_archive(
            actor=request.actor, dataset=self.get_object(), stream=stream, lenient=form.validated_data["lenient"]
        )
        return Response(analysis_answer(request.actor, found.as_dict(), found.elsewhere))

    @extend_schema(methods=["GET"], responses=SplitSerializer)
    @extend_schema(methods=["PUT"], request=SplitSetSerializer, responses=SplitSerializer)
    @extend_schema(methods=["DELETE"], request=None, responses={200: SplitSerializer})
    @action(detail=True, methods=["get", "put", "delete"])
    def split(self, request: ApiRequest, pk: str | None = None) -> Response:
        """The split in force, and the level it comes from: dataset or default. DELETE goes back to the default."""
        dataset = self.get_object()
        if request.method == "PUT":
            form = SplitSetSerializer(data=request.data)
            form.is_valid(raise_exception=True)
            dataset = services.split_set(actor=request.actor, dataset=dataset, **form.validated_data)
        elif request.method == "DELETE":
            dataset = services.split_remove(actor=request.actor, dataset=dataset)
        plan = selectors.split_in_force(dataset)
        return Response(SplitSerializer(split_view(dataset, dataset.revision_no, plan)).data)

    def _answer(self, dataset: Dataset, code: int = status.HTTP_200_OK) -> Response:
        fresh = Dataset.objects.visible(self.request.actor).get(pk=dataset.pk)
        return Response(self.get_serializer(fresh).data, status=code, headers=etag(fresh))
