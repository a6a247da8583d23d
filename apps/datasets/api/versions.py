"""The history of a dataset, what differs between two versions, and what each was used for."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import policy
from apps.core.api.pagination import KeysetPagination
from apps.core.api.requests import ApiRequest
from apps.datasets import selectors, services
from apps.datasets.api.serializers.datasets import DatasetImageDetailSerializer, SnapshotSerializer
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import Dataset, Revision, Snapshot
from apps.datasets.selectors import compare
from apps.datasets.selectors.versions import revisions_of, snapshots_named, splits_of_image, version_named

KEY = 2**63 - 1


class VersionPages(KeysetPagination):
    ordering = "-no"


class VersionCountsSerializer(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    labelled = serializers.IntegerField()
    boxes = serializers.IntegerField()
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    added = serializers.IntegerField(help_text="Files that the revision before did not have.")
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()


class VersionSnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    class Meta:
        model = Snapshot
        fields = ["id", "no", "tag", "note", "created_at"]


class VersionSerializer(serializers.ModelSerializer[Revision]):
    revision = serializers.IntegerField(source="no")
    counts = VersionCountsSerializer()
    root_hash = serializers.CharField(allow_blank=True, help_text="Of the content; empty until it was computed.")
    restored_from = serializers.IntegerField(allow_null=True, help_text="The revision whose content this is again.")
    snapshots = VersionSnapshotSerializer(many=True)

    class Meta:
        model = Revision
        fields = ["id", "revision", "note", "counts", "root_hash", "restored_from", "created_at", "snapshots"]


class VersionNoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class VersionRestoreSerializer(VersionNoteSerializer):
    version = serializers.CharField(max_length=60, help_text="A tag, or r and the number of a revision.")


@extend_schema_view(list=extend_schema(parameters=[DATASET]))
class VersionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Revision]):
    """Revisions of a dataset, newest first, with the snapshots that name them."""

    request: ApiRequest
    queryset = Revision.objects.none()
    serializer_class = VersionSerializer
    pagination_class = VersionPages

    def get_queryset(self):  # type: ignore[no-untyped-def]
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return revisions_of(self._dataset())

    @extend_schema(parameters=[DATASET], request=VersionNoteSerializer, responses={201: SnapshotSerializer})
    @action(detail=False, methods=["post"], url_path="auto-increment", pagination_class=None)
    def auto_increment(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Name what the dataset is now by the next free of v1, v2, …"""
        dataset = self._dataset()
        form = VersionNoteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        snapshot = services.snapshot_create(actor=request.actor, dataset=dataset, **form.validated_data)
        return Response(SnapshotSerializer(snapshot).data, status=status.HTTP_201_CREATED)

    @extend_schema(parameters=[DATASET], request=VersionRestoreSerializer, responses={201: VersionSerializer})
    @action(detail=False, methods=["post"], pagination_class=None)
    def restore(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Make the content of a version the next revision; nothing of the history is lost."""
        dataset = self._dataset()
        form = VersionRestoreSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        revision = services.version_restore(actor=request.actor, dataset=dataset, **form.validated_data)
        return Response(VersionSerializer(revision).data, status=status.HTTP_201_CREATED)

    def _dataset(self) -> Dataset:
        return visible_dataset(self.request, self.kwargs["dataset_id"])


class CompareQuery(serializers.Serializer[Any]):
    dataset_id = serializers.UUIDField()
    before = serializers.CharField(max_length=60, help_text="A tag, r and the number of a revision, or head.")
    after = serializers.CharField(max_length=60, default="head", help_text="The same; head without it.")


class CompareImagesQuery(CompareQuery):
    kind = serializers.ChoiceField(choices=compare.KINDS, required=False, allow_blank=True, default="")
    cursor = serializers.IntegerField(required=False, min_value=0, max_value=KEY, help_text="From `next`.")
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200, default=50)


class ComparedVersionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    revision = serializers.IntegerField(source="no")
    snapshot_id = serializers.UUIDField(source="snapshot.pk", default=None, allow_null=True)
    counts = VersionCountsSerializer(source="revision.counts")


class ImageDifferenceCountsSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    content = serializers.IntegerField(help_text="Other bytes under the same path.")
    annotations = serializers.IntegerField()
    split = serializers.IntegerField(help_text="Other split of the upload.")


class FileDifferenceCountsSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    content = serializers.IntegerField()


class ClassDifferenceSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    before = serializers.IntegerField(help_text="Images in which the class occurred.")
    after = serializers.IntegerField()


class RenumberedClassSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    before = serializers.CharField()
    after = serializers.CharField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """What differs. `files` are those that are no images."""

    before = ComparedVersionSerializer()
    after = ComparedVersionSerializer()
    images = ImageDifferenceCountsSerializer()
    files = FileDifferenceCountsSerializer()
    classes = ClassDifferenceSerializer(many=True)
    renumbered = RenumberedClassSerializer(many=True, help_text="Numbers that mean another class than before.")
    redefined = serializers.ListField(
        child=serializers.CharField(),
        help_text="Classes that have another colour, other keypoints, or other lines between them.",
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    """An image that differs; `before` or `after` is null where it was not there."""

    id = serializers.IntegerField(source="item_id")
    path = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=compare.KINDS))
    before = DatasetImageDetailSerializer(allow_null=True)
    after = DatasetImageDetailSerializer(allow_null=True)


class DifferencePageSerializer(serializers.Serializer[Any]):
    next = serializers.IntegerField(allow_null=True, help_text="What `cursor` is on the next page.")
    results = DifferenceSerializer(many=True)


def _compared(request: ApiRequest, given: dict[str, Any]) -> compare.Comparison:
    dataset = visible_dataset(request, given["dataset_id"])
    before, after = (version_named(dataset, given[name], field=name) for name in ("before", "after"))
    return compare.Comparison(dataset, before, after)


class CompareView(APIView):
    request: ApiRequest

    @extend_schema(operation_id="datasets_compare_retrieve", parameters=[CompareQuery], responses=ComparisonSerializer)
    def get(self, request: ApiRequest) -> Response:
        """What differs between two versions of a dataset: counts, and how the classes are spread."""
        form = CompareQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        return Response(ComparisonSerializer(_compared(request, form.validated_data)).data)


class CompareImagesView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_compare_images_retrieve",
        parameters=[CompareImagesQuery],
        responses=DifferencePageSerializer,
    )
    def get(self, request: ApiRequest) -> Response:
        """The images that differ, page by page, each as it was before and after."""
        form = CompareImagesQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        page = _compared(request, given).page(given["kind"], after=given.get("cursor"), size=given["page_size"])
        return Response(DifferencePageSerializer({"next": page.below, "results": page.rows}).data)


class DatasetUsageQuerySerializer(serializers.Serializer[Any]):
    version = serializers.CharField(max_length=60, required=False, help_text="What used this version of the dataset.")
    image = serializers.IntegerField(required=False, min_value=1, max_value=KEY, help_text="What saw this image.")
    before = serializers.DateTimeField(required=False, help_text="Older than this; from `next`.")
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200, default=50)


class DatasetUseSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    created_at = serializers.DateTimeField(source="time")
    url = serializers.CharField(source="href", help_text="Its page in the portal.")
    snapshot_id = serializers.UUIDField(allow_null=True)
    split = serializers.CharField(allow_blank=True, help_text="In which it saw the image; empty unless one is named.")


class DatasetUsageDaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    uses = serializers.IntegerField()


class DatasetUsagePageSerializer(serializers.Serializer[Any]):
    by_day = DatasetUsageDaySerializer(many=True, help_text="Of the last 30 days, oldest first.")
    next = serializers.DateTimeField(allow_null=True, help_text="What `before` is on the next page.")
    results = DatasetUseSerializer(many=True)


class UsageView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_usage_retrieve",
        parameters=[DATASET, DatasetUsageQuerySerializer],
        responses=DatasetUsagePageSerializer,
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """What used the dataset, one of its versions, or one of its images; newest first, as far as I may see it."""
        dataset = visible_dataset(request, dataset_id)
        form = DatasetUsageQuerySerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        size, splits = given["page_size"], None
        snapshots = snapshots_named(dataset, given["version"]) if "version" in given else None
        if "image" in given:
            splits = splits_of_image(dataset, given["image"])
            snapshots = [pk for pk in splits if snapshots is None or pk in snapshots]
        # What is planned has seen no image yet.
        query = selectors.UsageQuery(size + 1, snapshots, given.get("before"), planned="image" not in given)
        found = selectors.usage_of(request.actor, dataset, query)
        rows = [_use(use, splits or {}) for use in found[:size]]
        last = found[size - 1].time if len(found) > size else None
        days = selectors.uses_by_day(request.actor, dataset, snapshots=snapshots)
        by_day = [{"day": day, "uses": uses} for day, uses in days.items()]
        return Response(DatasetUsagePageSerializer({"by_day": by_day, "next": last, "results": rows}).data)


def _use(use: selectors.Use, splits: dict[UUID, str]) -> dict[str, Any]:
    facts = {name: getattr(use, name) for name in use.__slots__}
    return {**facts, "split": splits.get(use.snapshot_id, "") if use.snapshot_id else ""}


class MostUsedQuery(serializers.Serializer[Any]):
    days = serializers.IntegerField(required=False, min_value=1, max_value=3650, default=30)


class MostUsedSerializer(serializers.ModelSerializer[Dataset]):
    project_id = serializers.UUIDField()
    uses = serializers.IntegerField()

    class Meta:
        model = Dataset
        fields = ["id", "name", "project_id", "image_count", "byte_count", "uses"]


class MostUsedView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_most_used_list",
        parameters=[MostUsedQuery],
        responses=MostUsedSerializer(many=True),
    )
    def get(self, request: ApiRequest) -> Response:
        """The 20 datasets that were used most in the last days, as far as I may see them and what used them."""
        policy.require_scope(request.actor, "datasets.view_dataset")
        form = MostUsedQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        found = selectors.most_used(request.actor, days=form.validated_data["days"])
        for dataset, uses in found:
            dataset.uses = uses  # type: ignore[attr-defined]  # for the answer alone
        return Response(MostUsedSerializer([dataset for dataset, _uses in found], many=True).data)
