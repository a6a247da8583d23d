from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.requests import ApiRequest
from apps.datasets import services
from apps.datasets.api.serializers.datasets import SnapshotSerializer
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import Dataset, Snapshot


@extend_schema_view(
    **{name: extend_schema(parameters=[DATASET]) for name in ("list", "retrieve", "create", "destroy")}
)
class SnapshotViewSet(viewsets.ModelViewSet[Snapshot]):
    """Snapshots of a dataset: immutable, and kept while a job refers to them."""

    request: ApiRequest
    queryset = Snapshot.objects.none()
    serializer_class = SnapshotSerializer
    http_method_names = ("get", "post", "delete", "head", "options")

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = Snapshot.objects.visible(self.request.actor).filter(dataset=self._dataset())
        return rows.select_related("revision", "split_plan")

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        dataset = self._dataset()
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        snapshot = services.snapshot_create(actor=self.request.actor, dataset=dataset, **form.validated_data)
        return Response(self.get_serializer(snapshot).data, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete a snapshot that no job refers to."""
        services.snapshot_delete(actor=self.request.actor, snapshot=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _dataset(self) -> Dataset:
        return visible_dataset(self.request, self.kwargs["dataset_id"])
