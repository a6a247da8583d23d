"""Imports: uploads whose files the portal fetches, and the folders of the server that it may fetch them from."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.requests import ApiRequest
from apps.core.api.serializers import VisibleField
from apps.datasets import services
from apps.datasets.api.serializers.uploads import FORMAT_HELP, UploadSerializer
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.foreign import CHOICES as FORMAT_CHOICES
from apps.datasets.models import IMPORT_SOURCES, PublishMode, ServerFolder, UploadSource

LONGEST_PATH = 1024
BELOW = OpenApiParameter("path", str, description="Folder below it; the folder itself without one.")


class ImportSerializer(serializers.Serializer[Any]):
    """`source` says which of the fields count: `url`; or `bucket` and those behind it; or `folder_id` and `path`."""

    source = serializers.ChoiceField(choices=IMPORT_SOURCES)  # type: ignore[assignment]
    url = serializers.CharField(required=False, max_length=2000, help_text="Of one file, most often an archive.")
    bucket = serializers.RegexField(r"^[A-Za-z0-9._-]{1,255}$", required=False)
    prefix = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_PATH, help_text="A folder of the bucket, or one object."
    )
    endpoint = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="Of another S3 store than Amazon's: https://…"
    )
    region = serializers.RegexField(r"^[A-Za-z0-9-]{1,60}$", required=False)
    access_key = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Kept, encrypted, until the files are fetched."
    )
    secret_key = serializers.CharField(required=False, allow_blank=True, max_length=400, write_only=True)
    token = serializers.CharField(
        required=False, allow_blank=True, max_length=4000, write_only=True, help_text="Of keys that are temporary."
    )
    folder_id = VisibleField(source="folder", queryset=ServerFolder.objects.none(), required=False)
    path = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_PATH, help_text="A folder or a file below the folder."
    )
    mode = serializers.ChoiceField(choices=PublishMode.choices, required=False)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)
    lenient = serializers.BooleanField(default=False)
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, required=False, allow_blank=True, help_text=FORMAT_HELP)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        name = {UploadSource.ADDRESS: "url", UploadSource.BUCKET: "bucket", UploadSource.FOLDER: "folder"}
        needed = name[UploadSource(given["source"])]
        if not given.get(needed):
            raise serializers.ValidationError({f"{needed}_id" if needed == "folder" else needed: _("This is needed.")})
        if bool(given.get("access_key")) != bool(given.get("secret_key")):
            raise serializers.ValidationError({"secret_key": _("Give both keys, or none for a public bucket.")})
        return given


class ServerFolderSerializer(serializers.ModelSerializer[ServerFolder]):
    organization_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = ServerFolder
        fields = ["id", "organization_id", "name", "created_at"]


class FolderFileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    size = serializers.IntegerField()


class FolderEntriesSerializer(ServerFolderSerializer):
    """With what lies in it. `more`: only the first thousand are listed."""

    path = serializers.CharField()
    folders = serializers.ListField(child=serializers.CharField())
    files = FolderFileSerializer(many=True)
    more = serializers.BooleanField()

    class Meta(ServerFolderSerializer.Meta):
        fields = [*ServerFolderSerializer.Meta.fields, "path", "folders", "files", "more"]


class ImportView(APIView):
    request: ApiRequest

    @extend_schema(parameters=[DATASET], request=ImportSerializer, responses={202: UploadSerializer})
    def post(self, request: ApiRequest, dataset_id: Any) -> Response:
        """Fetch files from an address, an S3 bucket or a server folder into a new upload, in the background.

        The upload is analysed when they are there; follow it, give it up and publish it like any other.
        """
        dataset = visible_dataset(request, dataset_id)
        form = ImportSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        given = form.validated_data
        options = {name: given[name] for name in ("mode", "note", "lenient", "format") if name in given}
        upload = services.upload_import(actor=request.actor, dataset=dataset, wanted=wanted_of(given), **options)
        return Response(UploadSerializer(upload).data, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(list=extend_schema(description="Folders of the server that I may import from."))
class ServerFolderViewSet(viewsets.ReadOnlyModelViewSet[ServerFolder]):
    """Folders of the server that the platform's administrators allowed an organization to import from."""

    request: ApiRequest
    queryset = ServerFolder.objects.none()
    serializer_class = ServerFolderSerializer

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return ServerFolder.objects.visible(self.request.actor)

    @extend_schema(parameters=[BELOW], responses=FolderEntriesSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What lies in a folder; links are left out."""
        folder = self.get_object()
        path = request.query_params.get("path", "")
        found = services.folder_entries(actor=self.request.actor, folder=folder, path=path)
        return Response(
            {
                **ServerFolderSerializer(folder).data,
                "path": path,
                "folders": found.folders,
                "files": [{"name": name, "size": size} for name, size in found.files],
                "more": found.more,
            }
        )


def wanted_of(given: dict[str, Any]) -> services.ImportFrom:
    """The place that validated fields name."""
    if given["source"] == UploadSource.ADDRESS:
        return services.from_address(given["url"])
    if given["source"] == UploadSource.FOLDER:
        return services.from_folder(given["folder"], given.get("path", ""))
    names = ("bucket", "prefix", "endpoint", "region", "access_key", "secret_key", "token")
    return services.from_bucket(**{name: given[name] for name in names if given.get(name)})
