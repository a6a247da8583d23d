"""The formats that a set may come in."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.requests import ApiRequest
from apps.datasets import foreign
from apps.datasets.formats.model import TASKS
from apps.datasets.formats.registry import FORMATS
from apps.datasets.models import ExportFormat


class DatasetFormatSerializer(serializers.Serializer[Any]):
    """`tasks`: what its labels may be for. `is_chosen`: it is read by datumaro, and asked for by its name."""

    format = serializers.CharField()
    title = serializers.CharField()
    tasks = serializers.ListField(child=serializers.ChoiceField(choices=TASKS))
    is_chosen = serializers.BooleanField()
    is_available = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why it cannot be read here; empty when it can.")


class FormatsView(APIView):
    request: ApiRequest

    @extend_schema(responses=DatasetFormatSerializer(many=True))
    def get(self, request: ApiRequest) -> Response:
        """Formats that a set may come in: those that the portal tells by itself, then those that datumaro reads."""
        off = foreign.reason_off()
        own = [
            {"format": found.name, "title": str(ExportFormat(found.name).label), "tasks": list(found.holds)}
            for found in FORMATS.values()
        ]
        others = [
            {"format": found.name, "title": found.title, "tasks": list(found.holds)}
            for found in foreign.FORMATS.values()
        ]
        rows = [
            *({**found, "is_chosen": False, "is_available": True, "reason": ""} for found in own),
            *({**found, "is_chosen": True, "is_available": not off, "reason": off} for found in others),
        ]
        return Response(DatasetFormatSerializer(rows, many=True).data)
