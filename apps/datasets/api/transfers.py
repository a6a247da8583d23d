"""How files get into an upload over lines that break: large ones in parts, known ones by their digests alone."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from apps.core.api.bodies import StreamParser, body_of
from apps.core.api.requests import ApiRequest
from apps.datasets import services
from apps.datasets.api.serializers.uploads import ReceivedFileSerializer
from apps.datasets.api.views import DATASET
from apps.datasets.models import Upload

DIGEST = r"^[0-9a-f]{64}$"


class FileQuery(serializers.Serializer[Any]):
    sha256 = serializers.RegexField(
        DIGEST, required=False, help_text="Of the file: a body with another one is refused."
    )


class PartsQuery(serializers.Serializer[Any]):
    path = serializers.CharField(trim_whitespace=False, help_text="Path of the file in the set.")


class PartQuery(PartsQuery):
    number = serializers.IntegerField(min_value=1, max_value=services.MOST_PARTS, help_text="Of the part, from 1.")
    sha256 = serializers.RegexField(DIGEST, help_text="Of the part: a body with another one is refused.")


class PartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    sha256 = serializers.CharField()


class PartsSerializer(serializers.Serializer[Any]):
    part_bytes = serializers.IntegerField(help_text="Of every part but the last.")
    parts = PartSerializer(many=True)


class PartsJoinSerializer(PartsQuery):
    """One of `sha256` and `parts`."""

    size = serializers.IntegerField(min_value=1, max_value=services.MOST_BYTES, help_text="Of the whole file.")
    sha256 = serializers.RegexField(DIGEST, required=False, help_text="Of the whole file.")
    parts = serializers.ListField(
        child=serializers.RegexField(DIGEST),
        required=False,
        allow_empty=False,
        max_length=services.MOST_PARTS,
        help_text="SHA-256 of every part, in order, from a sender that cannot digest the whole.",
    )

    def validate(self, attrs: Any) -> Any:
        if ("sha256" in attrs) == ("parts" in attrs):
            raise serializers.ValidationError(_("Give either sha256 or parts."))
        return attrs


class KnownFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(trim_whitespace=False)
    sha256 = serializers.RegexField(DIGEST)


class KnownFilesSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(child=KnownFileSerializer(), allow_empty=False, max_length=services.MOST_KNOWN)


class TakenSerializer(serializers.Serializer[Any]):
    taken = serializers.ListField(child=serializers.CharField(), help_text="Paths that need not be sent.")


def checked(form: type[serializers.Serializer[Any]], request: ApiRequest) -> dict[str, Any]:
    """The query of a request, as the form reads it."""
    given = form(data=request.query_params)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class TransferMixin(viewsets.GenericViewSet[Upload]):
    request: ApiRequest

    @extend_schema(parameters=[DATASET], request=KnownFilesSerializer, responses=TakenSerializer)
    @action(detail=True, methods=["post"])
    def known(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Take in files whose content the dataset holds already, by their digests; the others are to be sent."""
        upload = self.get_object()
        form = KnownFilesSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        files = {file["path"]: file["sha256"] for file in form.validated_data["files"]}
        taken = services.upload_take_known(actor=request.actor, upload=upload, files=files)
        return Response(TakenSerializer({"taken": taken}).data)

    @extend_schema(parameters=[DATASET, PartsQuery], responses=PartsSerializer)
    @action(detail=True, methods=["get"], parser_classes=[StreamParser])
    def parts(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """The parts of a large file that have arrived, and how large a part is."""
        upload = self.get_object()
        found = services.parts_received(actor=request.actor, upload=upload, **checked(PartsQuery, request))
        return Response(PartsSerializer({"part_bytes": services.PART_BYTES, "parts": found}).data)

    @extend_schema(
        parameters=[DATASET, PartQuery],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=PartSerializer,
    )
    @parts.mapping.put
    def part(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Send a part of a large file. Any number may be sent side by side; one that was sent again replaces the first."""
        upload = self.get_object()
        stream, length = body_of(request)
        given = checked(PartQuery, request)
        part = services.part_receive(actor=request.actor, upload=upload, stream=stream, length=length, **given)
        return Response(PartSerializer(part).data)

    @extend_schema(parameters=[DATASET], request=PartsJoinSerializer, responses=ReceivedFileSerializer)
    @action(detail=True, methods=["post"], url_path="parts/join")
    def join(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Join the parts that have arrived to the file."""
        upload = self.get_object()
        form = PartsJoinSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        received = services.parts_join(actor=request.actor, upload=upload, **form.validated_data)
        return Response(ReceivedFileSerializer(received).data)
