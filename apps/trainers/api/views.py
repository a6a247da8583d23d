from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.trainers.api.serializers import TrainerSerializer
from apps.trainers.catalogue import SCHEMA_FILES, trainer, trainers

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Name of the trainer.")
MODE = OpenApiParameter("mode", str, enum=list(SCHEMA_FILES), default="train")


class TrainerViewSet(viewsets.ViewSet):
    """Trainers of this installation."""

    lookup_field = "name"
    lookup_value_regex = "[a-z][a-z0-9_-]{0,62}"

    @extend_schema(responses=TrainerSerializer(many=True))
    def list(self, request: Request) -> Response:
        return Response(TrainerSerializer(trainers(), many=True).data)  # type: ignore[arg-type]

    @extend_schema(parameters=[NAME], responses=TrainerSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        return Response(TrainerSerializer(trainer(name)).data)

    @extend_schema(parameters=[NAME, MODE], responses=OpenApiTypes.OBJECT)
    @action(detail=True, url_path="config-schema")
    def config_schema(self, request: Request, name: str) -> Response:
        """JSON Schema of the trainer's settings."""
        schema: dict[str, Any] = trainer(name).schema(request.query_params.get("mode", "train"))
        return Response(schema)
