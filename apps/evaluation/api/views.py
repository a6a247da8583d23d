from typing import Any

import django_filters
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from apps.core.api.bodies import body_of, file_response, not_modified
from apps.core.api.parameters import integer
from apps.core.api.parsers import BoundedJSONParser
from apps.core.api.requests import ApiRequest
from apps.core.errors import NotFound, TooLarge
from apps.core.storage import ObjectNotFound, results
from apps.core.storage.keys import blob_key
from apps.datasets.images import MEDIA_TYPES
from apps.evaluation import selectors, services
from apps.evaluation.api import serializers
from apps.evaluation.models import InferenceJob
from apps.jobs.api.pagination import JobPagination
from apps.jobs.api.serializers import EventsSerializer, StopSerializer, changeable
from apps.jobs.selectors import events_after
from apps.jobs.services.lifecycle import job_stop
from apps.jobs.states import JobState
from apps.training.models import Checkpoint, TrainingJob

AFTER = OpenApiParameter("after", int, default=0, description="Cursor: events beyond this number.")
LIMIT = OpenApiParameter("limit", int, default=1000)
NUMBER = OpenApiParameter("no", int, OpenApiParameter.PATH, description="Number of the picture, from 0.")
PICTURE: dict[Any, Any] = {(200, kind): OpenApiTypes.BINARY for kind in MEDIA_TYPES.values()}
PICTURE |= {304: None}
MAX_EVENTS = 5000
# Boundaries and the form's other fields beside the pictures.
FORM_BYTES = 1 << 20


class InferenceJobFilter(django_filters.FilterSet):
    project_id = django_filters.UUIDFilter(field_name="job__project_id")
    training_job_id = django_filters.UUIDFilter(field_name="checkpoint__job_id")
    checkpoint_id = django_filters.UUIDFilter(field_name="checkpoint_id")
    state = django_filters.ChoiceFilter(field_name="job__state", choices=JobState.choices)

    class Meta:
        model = InferenceJob
        fields: list[str] = []


class InferenceJobViewSet(viewsets.GenericViewSet[InferenceJob]):
    """Inferences that I may see: a checkpoint looks at pictures."""

    request: ApiRequest
    queryset = InferenceJob.objects.none()
    serializer_class = serializers.InferenceJobSerializer
    filterset_class = InferenceJobFilter
    pagination_class = JobPagination

    def get_parsers(self) -> list[Any]:
        takes_files = getattr(self, "action_map", {}).get("post") == "create"
        return [MultiPartParser(), BoundedJSONParser()] if takes_files else [BoundedJSONParser()]

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return InferenceJob.objects.visible(self.request.actor).with_job()

    def list(self, request: ApiRequest) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        context = {**self.get_serializer_context(), "changeable": changeable(request.actor, [row.pk for row in page])}
        return self.get_paginated_response(serializers.InferenceJobSerializer(page, many=True, context=context).data)

    @extend_schema(responses=serializers.InferenceJobDetailSerializer)
    def retrieve(self, request: ApiRequest, pk: str | None = None) -> Response:
        """With the pictures and, once it has succeeded, what the model said about each."""
        return self._answer(self.get_object())

    @extend_schema(
        request={"multipart/form-data": serializers.InferenceCreateSerializer},
        responses={201: serializers.InferenceJobDetailSerializer},
    )
    def create(self, request: ApiRequest) -> Response:
        """Send pictures to a checkpoint; the answer comes when the job has succeeded."""
        _body, announced = body_of(request)
        if announced is not None and announced > services.MAX_TOTAL_BYTES + FORM_BYTES:
            raise TooLarge(_("The request is too large."))
        form = serializers.InferenceCreateSerializer(data=request.data, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        training_pk = values.pop("training_job_id", None)
        checkpoint = self._checkpoint(values.pop("checkpoint_id", None), training_pk)
        values["or_newer"] = training_pk is not None
        inference = services.inference_start(actor=request.actor, checkpoint=checkpoint, **values)
        return self._answer(inference, status.HTTP_201_CREATED)

    @extend_schema(request=StopSerializer, responses=serializers.InferenceJobDetailSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: ApiRequest, pk: str | None = None) -> Response:
        """End the inference; there is no answer then."""
        inference = self.get_object()
        form = StopSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job_stop(actor=request.actor, job=inference.job, **form.validated_data)
        return self._answer(inference)

    @extend_schema(parameters=[AFTER, LIMIT], responses=EventsSerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def events(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Everything that happened, in order, beyond a cursor."""
        after, limit = integer(request, "after", 0, 0, 2**62), integer(request, "limit", 1000, 1, MAX_EVENTS)
        return Response(events_after(self.get_object().job, after, limit))

    @extend_schema(parameters=[NUMBER], responses=PICTURE)
    @action(detail=True, url_path="inputs/(?P<no>[0-9]{1,3})/content", filterset_class=None)
    def input_content(self, request: ApiRequest, pk: str | None = None, no: str = "0") -> HttpResponseBase:
        """The bytes of a picture, as they were sent."""
        inference = self.get_object()
        picture = inference.inputs.filter(no=int(no)).first()
        if picture is None:
            raise NotFound()
        if (unchanged := not_modified(request, picture.sha256)) is not None:
            return unchanged
        try:
            chunks = results().open(blob_key(inference.organization_id, picture.sha256))
        except ObjectNotFound as error:
            raise NotFound() from error
        return file_response(
            request,
            chunks,
            tag=picture.sha256,
            media_type=picture.media_type,
            name=picture.name,
            size=picture.size,
        )

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None})
    @action(detail=True, filterset_class=None, pagination_class=None)
    def predictions(self, request: ApiRequest, pk: str | None = None) -> HttpResponseBase:
        """The file of predictions, as the trainer wrote it, when it wrote one."""
        inference = self.get_object()
        file = selectors.predictions_file(inference)
        if file is None:
            raise NotFound()
        if (unchanged := not_modified(request, file.sha256)) is not None:
            return unchanged
        try:
            chunks = results().open(blob_key(inference.organization_id, file.sha256))
        except ObjectNotFound as error:
            raise NotFound() from error
        if request.method == "GET":
            services.predictions_download(actor=request.actor, inference=inference, sha256=file.sha256)
        kind = "application/octet-stream"
        return file_response(request, chunks, tag=file.sha256, media_type=kind, name=file.name, size=file.size)

    def _checkpoint(self, pk: Any, training_pk: Any) -> Checkpoint:
        actor = self.request.actor
        if training_pk is not None:
            training = TrainingJob.objects.get_visible(actor, pk=training_pk)
            return services.checkpoint_of_training(actor, training)
        return Checkpoint.objects.select_related("job__project").get_visible(actor, pk=pk)

    def _answer(self, inference: InferenceJob, code: int = status.HTTP_200_OK) -> Response:
        rows = InferenceJob.objects.visible(self.request.actor).with_job().prefetch_related("inputs")
        fresh = rows.get(pk=inference.pk)
        context = {**self.get_serializer_context(), "changeable": changeable(self.request.actor, [fresh.pk])}
        return Response(serializers.InferenceJobDetailSerializer(fresh, context=context).data, status=code)
