from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.requests import ApiRequest
from apps.core.api.versions import etag, expected_version
from apps.departures.api.serializers import PurgeSerializer
from apps.experiments import services
from apps.experiments.api.serializers import ExperimentSerializer, RunSerializer, TrashedExperimentSerializer
from apps.experiments.models import Experiment, MirrorState, Run, RunStatus

#: The permission that an act on the trash asks for its rows.
TRASH = {
    "trash": "experiments.restore_experiment",
    "restore": "experiments.restore_experiment",
    "purge": "experiments.purge_experiment",
}


class ExperimentFilter(django_filters.FilterSet):
    project_id = django_filters.UUIDFilter(label="Of this project")
    mirror_state = django_filters.ChoiceFilter(choices=MirrorState.choices)
    search = django_filters.CharFilter(method="by_text", label="Part of the name or the description")

    class Meta:
        model = Experiment
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


class ExperimentViewSet(viewsets.ModelViewSet[Experiment]):
    """Experiments of the projects that I may see."""

    request: ApiRequest
    queryset = Experiment.objects.none()
    serializer_class = ExperimentSerializer
    filterset_class = ExperimentFilter
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        if self.action in TRASH:
            return Experiment.objects.permitted(self.request.actor, TRASH[self.action])
        return Experiment.objects.visible(self.request.actor).with_counts()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        experiment = services.experiment_create(actor=self.request.actor, **form.validated_data)
        return self._answer(experiment, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        experiment = self.get_object()
        expected = expected_version(request, experiment)
        form = self.get_serializer(experiment, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changed = services.experiment_change(
            actor=self.request.actor, experiment=experiment, expected=expected, **form.validated_data
        )
        return self._answer(changed)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Move to the trash; `restore` brings it back."""
        services.experiment_trash(actor=self.request.actor, experiment=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=ExperimentSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Bring an experiment back from the trash."""
        return self._answer(services.experiment_restore(actor=request.actor, experiment=self.get_object()))

    @extend_schema(responses=TrashedExperimentSerializer(many=True))
    @action(detail=False, methods=["get"])
    def trash(self, request: ApiRequest) -> Response:
        """Experiments in the trash that I may bring back, and when each is deleted for good."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(TrashedExperimentSerializer(rows, many=True).data)

    @extend_schema(request=PurgeSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def purge(self, request: ApiRequest, pk: str | None = None) -> Response:
        """Delete an experiment in the trash for good, with its runs. Trainings keep their numbers and artifacts."""
        experiment = self.get_object()
        form = PurgeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.experiment_purge(actor=request.actor, experiment=experiment, **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _answer(self, experiment: Experiment, code: int = status.HTTP_200_OK) -> Response:
        fresh = Experiment.objects.visible(self.request.actor).with_counts().get(pk=experiment.pk)
        return Response(self.get_serializer(fresh).data, status=code, headers=etag(experiment))


class RunFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=RunStatus.choices)
    mirror_state = django_filters.ChoiceFilter(choices=MirrorState.choices)
    search = django_filters.CharFilter(method="by_text", label="Part of the name")

    class Meta:
        model = Run
        fields: list[str] = []

    def by_text(self, rows: Any, name: str, value: str) -> Any:
        return rows.search(value)


EXPERIMENT = OpenApiParameter("experiment_id", str, OpenApiParameter.PATH, description="The experiment.")


@extend_schema_view(**{name: extend_schema(parameters=[EXPERIMENT]) for name in ("list", "retrieve")})
class RunViewSet(viewsets.ReadOnlyModelViewSet[Run]):
    """Runs of an experiment. They are written by what runs, not by people."""

    request: ApiRequest
    queryset = Run.objects.none()
    serializer_class = RunSerializer
    filterset_class = RunFilter

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        experiment = Experiment.objects.get_visible(self.request.actor, pk=self.kwargs["experiment_id"])
        return Run.objects.visible(self.request.actor).filter(experiment=experiment)
