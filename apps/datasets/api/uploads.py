from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.bodies import StreamParser, body_of, file_response
from apps.core.api.requests import ApiRequest
from apps.datasets import selectors, services
from apps.datasets.api.serializers.uploads import (
    ReceivedFileSerializer,
    UploadAnalyzeSerializer,
    UploadDetailSerializer,
    UploadPublishSerializer,
    UploadSerializer,
)
from apps.datasets.api.transfers import FileQuery, TransferMixin, checked
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import Upload, UploadState

PATH = OpenApiParameter("path", str, required=True, description="Path of the file in the set, with forward slashes.")


@extend_schema_view(list=extend_schema(parameters=[DATASET]))
class UploadViewSet(TransferMixin, viewsets.ModelViewSet[Upload]):
    """Uploads into a dataset: create one, PUT its files, analyse, publish."""

    request: ApiRequest
    queryset = Upload.objects.none()
    serializer_class = UploadSerializer
    http_method_names = ("get", "post", "put", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        if self.action == "list":
            self._dataset()  # a dataset that is hidden is no empty list
        rows = Upload.objects.visible(self.request.actor).filter(dataset_id=self.kwargs["dataset_id"])
        return rows.select_related("dataset", "revision")

    @extend_schema(parameters=[DATASET])
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Open an upload."""
        dataset = self._dataset()
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        upload = services.upload_create(actor=self.request.actor, dataset=dataset, **form.validated_data)
        return Response(self.get_serializer(upload).data, status=status.HTTP_201_CREATED)

    @extend_schema(parameters=[DATASET], responses=UploadDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Its state, its analysis, and the files that have arrived, whole or in part, while it receives."""
        return self._answer(self.get_object())

    @extend_schema(exclude=True)
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.http_method_not_allowed(request)

    @extend_schema(parameters=[DATASET])
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the upload up."""
        services.upload_cancel(actor=self.request.actor, upload=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[DATASET, PATH, FileQuery],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses=ReceivedFileSerializer,
    )
    @action(detail=True, methods=["put"], parser_classes=[StreamParser])
    def files(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Send one file, or the one archive that is the whole set. Any number may be sent side by side."""
        upload = self.get_object()
        stream, length = body_of(request)
        given = checked(FileQuery, request)
        path = request.query_params.get("path", "")
        received = services.upload_receive(
            actor=request.actor, upload=upload, path=path, stream=stream, length=length, sha256=given.get("sha256", "")
        )
        return Response(ReceivedFileSerializer(received).data)

    @extend_schema(parameters=[DATASET], request=UploadAnalyzeSerializer, responses={202: UploadSerializer})
    @action(detail=True, methods=["post"])
    def analyze(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Close the upload to further files and analyse it, in the background."""
        upload = self.get_object()
        form = UploadAnalyzeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        upload = services.upload_analyse(actor=request.actor, upload=upload, **form.validated_data)
        return Response(self.get_serializer(upload).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[DATASET], request=UploadPublishSerializer, responses={202: UploadSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> Response:
        """Publish an analysed upload as the next revision, in the background."""
        upload = self.get_object()
        form = UploadPublishSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        upload = services.upload_publish(actor=request.actor, upload=upload, **form.validated_data)
        return Response(self.get_serializer(upload).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[DATASET, PATH], responses={(200, "image/webp"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def preview(self, request: ApiRequest, pk: str | None = None, **kwargs: Any) -> HttpResponseBase:
        """A small copy of a picture that the analysis shows."""
        sha256, content = selectors.preview_of(self.get_object(), request.query_params.get("path", ""))
        return file_response(
            request, content, tag=sha256, media_type="image/webp", name="preview.webp", size=len(content)
        )

    def _dataset(self) -> Any:
        return visible_dataset(self.request, self.kwargs["dataset_id"])

    def _answer(self, upload: Upload) -> Response:
        receives = upload.state == UploadState.RECEIVING
        found = services.received_files(upload) if receives else ()
        upload.received = [{"path": path, "size": size} for path, size in found]  # type: ignore[attr-defined]
        upload.begun = services.begun_files(upload) if receives else []  # type: ignore[attr-defined]
        return Response(UploadDetailSerializer(upload, context=self.get_serializer_context()).data)
