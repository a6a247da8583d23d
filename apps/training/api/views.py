from typing import Any, cast

import django_filters
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import policy
from apps.core.api.bodies import file_response, not_modified
from apps.core.api.parameters import integer, number
from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.core.errors import NotFound
from apps.core.storage import ObjectNotFound, results
from apps.core.storage.keys import blob_key
from apps.jobs.api.pagination import JobPagination
from apps.jobs.api.serializers import EventsSerializer, StopSerializer, changeable
from apps.jobs.selectors import events_after, log_search, log_slice
from apps.jobs.services.lifecycle import job_resume, job_stop
from apps.jobs.states import JobState
from apps.training import schedules, selectors, services
from apps.training.api import serializers
from apps.training.forecast import Plan, forecast
from apps.training.models import Checkpoint, TrainingJob

PICTURES = ("image/png", "image/jpeg", "image/webp")
BINARY: dict[Any, Any] = {(200, "application/octet-stream"): OpenApiTypes.BINARY, 304: None}
AFTER = OpenApiParameter("after", int, default=0, description="Cursor: events beyond this number.")
LIMIT = OpenApiParameter("limit", int, default=1000)
ROW = OpenApiParameter("row_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


class TrainingJobFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="by_text", label="Part of the name")
    project_id = django_filters.UUIDFilter(field_name="job__project_id")
    dataset_id = django_filters.UUIDFilter(field_name="dataset_id")
    state = django_filters.ChoiceFilter(field_name="job__state", choices=JobState.choices)
    trainer = django_filters.CharFilter()

    class Meta:
        model = TrainingJob
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class TrainingJobViewSet(viewsets.ModelViewSet[TrainingJob]):
    """Trainings that I may see."""

    request: ApiRequest
    queryset = TrainingJob.objects.none()
    serializer_class = serializers.TrainingJobSerializer
    filterset_class = TrainingJobFilter
    pagination_class = JobPagination
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return TrainingJob.objects.visible(self.request.actor).with_job()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(self._data(page, many=True))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        training = self.get_object()
        return Response(self._data(training), headers=etag(training.job))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A draft; `start` puts it into the queue."""
        form = cast(serializers.TrainingJobSerializer, self.get_serializer(data=request.data))
        form.is_valid(raise_exception=True)
        training = services.training_create(actor=self.request.actor, **form.flat())
        return self._answer(training, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a draft."""
        training = self.get_object()
        expected = expected_version(request, training.job)
        form = cast(serializers.TrainingJobSerializer, self.get_serializer(training, data=request.data, partial=True))
        form.is_valid(raise_exception=True)
        return self._answer(
            services.training_change(actor=self.request.actor, training=training, expected=expected, **form.flat())
        )

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete a draft; a training that was started stays."""
        training = self.get_object()
        expected = expected_version(request, training.job)
        services.training_delete(actor=self.request.actor, training=training, expected=expected)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=serializers.TrainingJobSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Fix the data as a snapshot, unless the draft names one, and put it into the queue."""
        return self._answer(services.training_start(actor=request.actor, training=self.get_object()))

    @extend_schema(responses=serializers.ForecastSerializer)
    @action(detail=True)
    def forecast(self, request: ApiRequest, pk: str | None = None) -> Response:
        """What it is likely to take of the month's GPU hours; `start` refuses only when none is left."""
        found = forecast(request.actor, Plan.of(self.get_object()))
        return Response(serializers.ForecastSerializer(found).data)

    @extend_schema(request=serializers.TrainingScheduleSerializer, responses=serializers.TrainingJobSerializer)
    @action(detail=True, methods=["post"])
    def schedule(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Have a copy start at these times, one at a time, as whoever asks; what was asked before is replaced."""
        training = self.get_object()
        form = serializers.TrainingScheduleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        schedules.training_schedule(actor=request.actor, training=training, **form.validated_data)
        return self._answer(training)

    @extend_schema(request=None, responses={204: None})
    @schedule.mapping.delete
    def unschedule(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Start no more copies; those that were started stay."""
        schedules.training_unschedule(actor=request.actor, training=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=StopSerializer, responses=serializers.TrainingJobSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Ask the training to write a checkpoint and stop; it is ended after the grace."""
        training = self.get_object()
        form = StopSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        job_stop(actor=request.actor, job=training.job, **form.validated_data)
        return self._answer(training)

    @extend_schema(request=None, responses=serializers.TrainingJobSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Go on from the last checkpoint: same job, new attempt."""
        training = self.get_object()
        job_resume(actor=request.actor, job=training.job)
        return self._answer(training)

    @extend_schema(request=None, responses={201: serializers.TrainingJobSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: ApiRequest, pk: str | None = None) -> Response:
        """The same work from the beginning: a new job that names this one."""
        training = services.training_retry(actor=request.actor, training=self.get_object())
        return self._answer(training, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={201: serializers.TrainingJobSerializer})
    @action(detail=True, methods=["post"])
    def clone(self, request: ApiRequest, pk: str | None = None) -> Response:
        """A new draft with the same settings."""
        training = services.training_clone(actor=request.actor, training=self.get_object())
        return self._answer(training, status.HTTP_201_CREATED)

    @extend_schema(parameters=[AFTER, LIMIT], responses=EventsSerializer)
    @action(detail=True)
    def events(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Everything that happened, in order, beyond a cursor."""
        after, limit = integer(request, "after", 0, 0, 2**62), integer(request, "limit", 1000, 1, 5000)
        return Response(events_after(self.get_object().job, after, limit))

    @extend_schema(
        parameters=[
            OpenApiParameter("name", str, many=True, description="Series whose points are wanted."),
            OpenApiParameter("x", str, enum=["step", "epoch", "time"], default="step"),
            OpenApiParameter("from", float),
            OpenApiParameter("to", float),
            OpenApiParameter("points", int, default=1000, description="Most points of a series; peaks are kept."),
        ],
        responses=serializers.MetricsSerializer,
    )
    @action(detail=True)
    def metrics(self, request: ApiRequest, pk: str | None = None) -> Response:
        """The series of the training; with `name` their points, thinned so that no peak is lost."""
        training = self.get_object()
        found = selectors.charts(
            training,
            names=_names(request),
            axis=request.query_params.get("x", "step"),
            low=number(request, "from"),
            high=number(request, "to"),
            points=integer(request, "points", 1000, 2, 20_000),
        )
        return Response(found)

    @extend_schema(
        parameters=[
            OpenApiParameter("offset", int, default=0, description="In bytes; negative: from the end."),
            OpenApiParameter("limit", int, default=65536),
            OpenApiParameter("search", str, description="Lines that contain this text."),
        ],
        responses=serializers.LogSerializer,
    )
    @action(detail=True)
    def logs(self, request: ApiRequest, pk: str | None = None) -> Response:
        """A piece of the log, or the lines that contain a text."""
        job = self.get_object().job
        if needle := request.query_params.get("search", "").strip():
            return Response(log_search(job, needle[:200]))
        offset = integer(request, "offset", 0, -(2**40), 2**40)
        return Response(log_slice(job, offset, integer(request, "limit", 65536, 1, 1024 * 1024)))

    @extend_schema(responses=serializers.CheckpointSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def checkpoints(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Weights that the training has left, newest first."""
        rows = Checkpoint.objects.visible(request.actor).filter(job_id=self.get_object().pk).order_by("-pk")
        return Response(serializers.CheckpointSerializer(rows, many=True).data)

    @extend_schema(parameters=[ROW], responses=BINARY)
    @action(detail=True, url_path="checkpoints/(?P<row_id>[0-9a-f-]{36})/content", filterset_class=None)
    def checkpoint_content(self, request: ApiRequest, pk: str | None = None, row_id: str = "") -> HttpResponseBase:
        """The bytes of a checkpoint."""
        training = self.get_object()
        row = Checkpoint.objects.get_visible(request.actor, pk=_uuid(row_id), job_id=training.pk)
        policy.require(request.actor, "training.use_checkpoint", row)
        content = _content(request, row.organization_id, row.sha256, row.size, row.name, "application/octet-stream")
        if _leaves(request, content):
            services.checkpoint_download(actor=request.actor, checkpoint=row)
        return content

    @extend_schema(responses=serializers.ArtifactSerializer(many=True))
    @action(detail=True, pagination_class=None, filterset_class=None)
    def artifacts(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Pictures, tables and reports that the training has made."""
        return Response(serializers.ArtifactSerializer(selectors.artifacts(self.get_object()), many=True).data)

    @extend_schema(parameters=[ROW], responses=BINARY)
    @action(detail=True, url_path="artifacts/(?P<row_id>[0-9a-f-]{36})/content", filterset_class=None)
    def artifact_content(self, request: ApiRequest, pk: str | None = None, row_id: str = "") -> HttpResponseBase:
        """The bytes of an artifact."""
        training = self.get_object()
        row = selectors.artifact(training, _uuid(row_id))
        content = _content(request, training.organization_id, row.sha256, row.size, row.name, row.media_type)
        if _leaves(request, content) and row.media_type not in PICTURES:
            services.artifact_download(actor=request.actor, training=training, name=row.name, sha256=row.sha256)
        return content

    def _answer(self, training: TrainingJob, code: int = status.HTTP_200_OK) -> Response:
        fresh = TrainingJob.objects.visible(self.request.actor).with_job().get(pk=training.pk)
        return Response(self._data(fresh), status=code, headers=etag(fresh.job))

    def _data(self, found: Any, *, many: bool = False) -> Any:
        jobs = [row.pk for row in (found if many else [found])]
        context = {**self.get_serializer_context(), "changeable": changeable(self.request.actor, jobs)}
        return serializers.TrainingJobSerializer(found, many=many, context=context).data


def _content(
    request: ApiRequest, organization_id: Any, sha256: str, size: int, name: str, media_type: str
) -> HttpResponseBase:
    """A blob. Pictures may be shown by the page; everything else is a download."""
    if (unchanged := not_modified(request, sha256)) is not None:
        return unchanged
    try:
        chunks = results().open(blob_key(organization_id, sha256))
    except ObjectNotFound as error:
        raise NotFound() from error
    inline = media_type in PICTURES
    media_type = media_type if inline else "application/octet-stream"
    name = name.rsplit("/", 1)[-1]
    return file_response(request, chunks, tag=sha256, media_type=media_type, name=name, size=size, inline=inline)


def _leaves(request: ApiRequest, content: HttpResponseBase) -> bool:
    """Whether the bytes go out, rather than word that the browser has them already."""
    return request.method == "GET" and content.status_code == status.HTTP_200_OK


def _names(request: ApiRequest) -> list[str] | None:
    """`?name=a&name=b` or `?name=a,b`; a series' name has no comma."""
    given = request.query_params.getlist("name")
    return [name for part in given for name in part.split(",") if name] if given else None


def _uuid(text: str) -> str:
    if len(text.replace("-", "")) != 32:
        raise NotFound()
    return text
