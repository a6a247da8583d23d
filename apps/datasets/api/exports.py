"""Versions in a format of choice: what an export would lose, asking for it, watching it, fetching it."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.requests import ApiRequest
from apps.core.identity.middleware import context_of
from apps.datasets import services
from apps.datasets.api.acts import ImagesWantedSerializer
from apps.datasets.api.downloads import VERSION_HELP, ZIP, attached, count_for, session_key, signed_in
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import Export, ExportFormat, ExportState, Task
from apps.datasets.selectors.exports import exports_of, preview_of, target_of, tasks_for, worded
from apps.datasets.selectors.versions import version_named
from apps.datasets.services.exports import archive_name, export_link_open, require_there

EXPORT = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The export.")
LINK = OpenApiParameter("link", OpenApiTypes.STR, description="Of an address that POST gave.")
TASK_HELP = "What the labels are written for; empty: what costs least."


class ExportQuery(serializers.Serializer[Any]):
    version = serializers.CharField(max_length=60, required=False, default="head", help_text=VERSION_HELP)
    format = serializers.ChoiceField(choices=ExportFormat.choices)
    task = serializers.ChoiceField(
        choices=Task.choices, required=False, default="", allow_blank=True, help_text=TASK_HELP
    )


class DatasetExportRequestSerializer(ImagesWantedSerializer, ExportQuery):
    """What is to be written: a version, or (`images` or `matching`) some of the images that the dataset holds now."""

    partial = serializers.BooleanField(  # type: ignore[assignment]  # a name of the base class, which needs none
        required=False, default=False, help_text="Without the files in quarantine, rather than not at all."
    )


class DatasetExportLossSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    count = serializers.IntegerField()
    path = serializers.CharField(allow_null=True, help_text="The first image, or the first class, that it concerns.")
    text = serializers.CharField(help_text="The loss as a sentence, in the language of the request.")


class DatasetExportPreviewSerializer(serializers.Serializer[Any]):
    version = serializers.CharField(source="target.version.name")
    revision = serializers.IntegerField(source="target.version.no")
    format = serializers.ChoiceField(source="target.format", choices=ExportFormat.choices)
    task = serializers.CharField(source="target.task", help_text="Empty where the files stay as they came.")
    tasks = serializers.SerializerMethodField(help_text="What the labels can be written for in this format.")
    images = serializers.IntegerField()
    files = serializers.IntegerField(help_text="Of the version that the export is made of.")
    bytes = serializers.IntegerField()
    damaged = serializers.IntegerField(help_text="Files in quarantine; with any, only what is partial is written.")
    looked_at = serializers.IntegerField(
        help_text="Images that were tried for the losses: all, unless there are many."
    )
    losses = serializers.SerializerMethodField()

    def get_tasks(self, preview: Any) -> list[str]:
        return [task for task in tasks_for(preview.target.format, preview.target.version.dataset) if task]

    @extend_schema_field(DatasetExportLossSerializer(many=True))
    def get_losses(self, preview: Any) -> Any:
        return worded(preview.losses)


class DatasetExportProgressSerializer(serializers.Serializer[Any]):
    step = serializers.ChoiceField(choices=["labels", "archive"])
    done = serializers.IntegerField(help_text="Images or files of the step labels, bytes of the step archive.")
    total = serializers.IntegerField()


class DatasetExportSerializer(serializers.ModelSerializer[Export]):
    """An export, of a whole version unless images were chosen. `losses` are known once the labels are written, sizes and digest once it is ready."""

    dataset_id = serializers.UUIDField()
    version_name = serializers.CharField(help_text="By which it was asked for.")
    revision = serializers.IntegerField(source="revision.no")
    format = serializers.ChoiceField(choices=ExportFormat.choices)
    task = serializers.CharField(help_text="Empty where the files stay as they came.")
    chosen_count = serializers.IntegerField(
        allow_null=True, help_text="How many images of the version were chosen; null: it is all of the version."
    )
    version_image_count = serializers.IntegerField(help_text="How many images the version holds.")
    state = serializers.ChoiceField(choices=ExportState.choices)
    progress = serializers.SerializerMethodField()
    losses = serializers.SerializerMethodField()
    failure = serializers.CharField(help_text="Code of why it failed; empty otherwise.")
    failure_text = serializers.SerializerMethodField()

    class Meta:
        model = Export
        fields = [
            "id",
            "dataset_id",
            "version_name",
            "revision",
            "format",
            "task",
            "partial",
            "chosen_count",
            "version_image_count",
            "state",
            "progress",
            "image_count",
            "object_count",
            "file_count",
            "left_out_count",
            "losses",
            "byte_count",
            "sha256",
            "failure",
            "failure_text",
            "created_at",
            "ended_at",
            "expires_at",
        ]

    @extend_schema_field(DatasetExportProgressSerializer(allow_null=True))
    def get_progress(self, export: Export) -> Any:
        return export.progress or None

    @extend_schema_field(DatasetExportLossSerializer(many=True))
    def get_losses(self, export: Export) -> Any:
        return worded(export.losses)

    def get_failure_text(self, export: Export) -> str:
        return str(export.failure_text)


class DatasetExportLinkSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="Opens the archive until it expires; needs no sign-in.")
    expires_at = serializers.DateTimeField()
    file_name = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


class ExportView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_export_retrieve",
        parameters=[DATASET, ExportQuery],
        responses=DatasetExportPreviewSerializer,
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """What an export would hold, and what its format forces to be lost. Nothing is begun."""
        dataset = visible_dataset(request, dataset_id)
        form = ExportQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        target = target_of(version_named(dataset, given["version"]), given["format"], given["task"])
        return Response(DatasetExportPreviewSerializer(preview_of(target)).data)

    @extend_schema(
        operation_id="datasets_export_create",
        parameters=[DATASET],
        request=DatasetExportRequestSerializer,
        responses={200: DatasetExportSerializer, 202: DatasetExportSerializer},
    )
    def post(self, request: ApiRequest, dataset_id: Any) -> Response:
        """Have a version written in a format, in the background, or some of the images that the dataset holds now.

        200 with the export that is ready, where just this was exported already; else 202: `GET …/exports/{id}` tells how far it is.
        """
        dataset = visible_dataset(request, dataset_id)
        form = DatasetExportRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = {name: form.validated_data[name] for name in ("version", "format", "task", "partial")}
        export = services.export_ask(actor=request.actor, dataset=dataset, choice=form.choice, **wanted)
        code = status.HTTP_200_OK if export.is_there else status.HTTP_202_ACCEPTED
        return Response(DatasetExportSerializer(export).data, status=code)

    def perform_content_negotiation(self, request, force=False):  # type: ignore[no-untyped-def]
        """`format` is the format of the set; the answer is JSON whatever it says."""
        return super().perform_content_negotiation(request, force=True)


@extend_schema_view(list=extend_schema(parameters=[DATASET]), retrieve=extend_schema(parameters=[DATASET, EXPORT]))
class ExportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Export]):
    """Exports of a dataset, newest first. Archives are kept for some days."""

    request: ApiRequest
    queryset = Export.objects.none()
    serializer_class = DatasetExportSerializer
    http_method_names = ("get", "post", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        dataset = visible_dataset(self.request, self.kwargs["dataset_id"])
        shown = Export.objects.visible(self.request.actor)
        return exports_of(dataset).filter(pk__in=shown.values("pk"))

    @extend_schema(parameters=[DATASET, EXPORT], responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete an export and its archive; one that is being written ends."""
        services.export_delete(actor=self.request.actor, export=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(parameters=[DATASET, EXPORT], request=None, responses=DatasetExportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """End an export that is not ready yet."""
        export = services.export_cancel(actor=request.actor, export=self.get_object())
        return Response(self.get_serializer(export).data)


class ExportDownloadView(APIView):
    request: ApiRequest
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="datasets_exports_download_retrieve",
        parameters=[DATASET, EXPORT, LINK],
        responses={(200, ZIP): OpenApiTypes.BINARY},
    )
    def get(self, request: ApiRequest, dataset_id: Any, id: Any) -> HttpResponseBase:
        """The archive. By a link of POST, or signed in."""
        token = request.query_params.get("link", "")
        context = context_of(request._request)
        actor = export_link_open(token=token, export_id=id, **context) if token else signed_in(request.actor)
        count_for(self, request, actor)
        rows = Export.objects.select_related("dataset")
        export = rows.get_visible(actor, pk=id, dataset_id=dataset_id)
        if request.method == "GET":
            chunks = services.export_download(actor=actor, export=export)
            response = attached(chunks, ZIP, archive_name(export), export.byte_count)
        else:
            require_there(export)
            response = attached((), ZIP, archive_name(export))
        response["ETag"] = f'"{export.sha256}"'
        return response

    @extend_schema(
        operation_id="datasets_exports_download_create",
        parameters=[DATASET, EXPORT],
        request=None,
        responses={201: DatasetExportLinkSerializer},
    )
    def post(self, request: ApiRequest, dataset_id: Any, id: Any) -> Response:
        """A link that opens this archive for five minutes."""
        actor = signed_in(request.actor)
        export = Export.objects.select_related("dataset").get_visible(actor, pk=id, dataset_id=dataset_id)
        link = services.export_link(actor=actor, export=export, session_key=session_key(request))
        answer = {
            "url": request.build_absolute_uri(link.address),
            "expires_at": link.expires_at,
            "file_name": archive_name(export),
            "size": export.byte_count,
            "sha256": export.sha256,
        }
        return Response(DatasetExportLinkSerializer(answer).data, status=status.HTTP_201_CREATED)
