"""Files sent straight to the object store: who started the upload asks for addresses, and says when all is there."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.bodies import NOT_KEPT
from apps.core.api.requests import ApiRequest
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import DirectFile, Upload
from apps.datasets.services import direct

UPLOAD = OpenApiParameter("upload_id", str, OpenApiParameter.PATH, description="Of an upload that is a direct one.")
FILE = OpenApiParameter("id", str, OpenApiParameter.PATH, description="Of the file.")


class DirectOpenSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(
        max_length=1024, trim_whitespace=False, help_text="Of the file in the set, with forward slashes."
    )
    size = serializers.IntegerField(min_value=1, max_value=1 << 40, help_text="In bytes.")


class DirectFileSerializer(serializers.ModelSerializer[DirectFile]):
    size = serializers.IntegerField(source="byte_count")
    part_bytes = serializers.IntegerField(help_text="Of every part but the last.")
    parts = serializers.IntegerField(source="part_count", help_text="How many there are, numbered from 1.")
    arrived = serializers.ListField(
        child=serializers.IntegerField(), help_text="Numbers of the parts that the store has."
    )

    class Meta:
        model = DirectFile
        fields = ["id", "path", "size", "part_bytes", "parts", "arrived", "completed_at"]
        read_only_fields = fields


class WantedPartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1, max_value=direct.MOST_PARTS)
    md5 = serializers.CharField(
        max_length=24,
        required=False,
        default="",
        allow_blank=True,
        help_text="Of the part, as base64: the store then refuses what arrives differently.",
    )


class WantedPartsSerializer(serializers.Serializer[Any]):
    parts = serializers.ListField(child=WantedPartSerializer(), min_length=1, max_length=direct.MOST_URLS)


class PartAddressSerializer(serializers.Serializer[Any]):
    """Where and how one part is sent. It needs no sign-in: whoever has it can write this part, and nothing else."""

    number = serializers.IntegerField()
    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField(), help_text="To be sent exactly so.")
    size = serializers.IntegerField(help_text="The length that the body must have.")
    expires_at = serializers.DateTimeField()


class PartAddressesSerializer(serializers.Serializer[Any]):
    parts = PartAddressSerializer(many=True)


class DirectCompleteSerializer(serializers.Serializer[Any]):
    sha256 = serializers.ListField(
        child=serializers.RegexField(r"^[0-9a-f]{64}$"),
        min_length=1,
        max_length=direct.MOST_PARTS,
        help_text="Of every part, in order.",
    )


class _DirectView(APIView):
    request: ApiRequest

    def upload(self) -> Upload:
        visible_dataset(self.request, self.kwargs["dataset_id"])
        rows = Upload.objects.select_related("dataset")
        return rows.get_visible(self.request.actor, pk=self.kwargs["upload_id"], dataset_id=self.kwargs["dataset_id"])


class DirectFilesView(_DirectView):
    @extend_schema(
        parameters=[DATASET, UPLOAD],
        request=DirectOpenSerializer,
        responses={200: DirectFileSerializer, 201: DirectFileSerializer},
    )
    def post(self, request: ApiRequest, **kwargs: Any) -> Response:
        """Open a file that is sent in parts, or go on with it: the answer names the parts that have arrived."""
        form = DirectOpenSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        file, arrived, is_new = direct.direct_open(actor=request.actor, upload=self.upload(), **form.validated_data)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(_shown(file, arrived), status=code)


class DirectFileView(_DirectView):
    @extend_schema(parameters=[DATASET, UPLOAD, FILE], responses={204: None})
    def delete(self, request: ApiRequest, **kwargs: Any) -> Response:
        """Take a file out of the upload again."""
        direct.direct_remove(actor=request.actor, upload=self.upload(), file_id=kwargs["id"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class DirectPartsView(_DirectView):
    @extend_schema(
        parameters=[DATASET, UPLOAD, FILE], request=WantedPartsSerializer, responses=PartAddressesSerializer
    )
    def post(self, request: ApiRequest, **kwargs: Any) -> Response:
        """Addresses for parts, each for one of them, of its length, for a quarter of an hour."""
        form = WantedPartsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = {row["number"]: row["md5"] for row in form.validated_data["parts"]}
        found = direct.direct_addresses(actor=request.actor, upload=self.upload(), file_id=kwargs["id"], parts=wanted)
        # Whoever has an address needs nothing else: no cache on the way keeps it.
        return Response(PartAddressesSerializer({"parts": found}).data, headers=NOT_KEPT)


class DirectCompleteView(_DirectView):
    @extend_schema(
        parameters=[DATASET, UPLOAD, FILE], request=DirectCompleteSerializer, responses=DirectFileSerializer
    )
    def post(self, request: ApiRequest, **kwargs: Any) -> Response:
        """All parts are sent: the store joins them. A worker compares them with the digests when the set is analysed."""
        form = DirectCompleteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        file = direct.direct_complete(
            actor=request.actor, upload=self.upload(), file_id=kwargs["id"], digests=form.validated_data["sha256"]
        )
        return Response(_shown(file, list(range(1, file.part_count + 1))))


def _shown(file: DirectFile, arrived: list[int]) -> Any:
    file.arrived = arrived  # type: ignore[attr-defined]
    return DirectFileSerializer(file).data
