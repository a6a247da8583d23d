"""Whether the files are whole, and what is there more than once."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import policy
from apps.core.api.requests import ApiRequest
from apps.datasets import services
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import CheckState, Damage, Dataset, IntegrityCheck
from apps.datasets.selectors import integrity

KEY = 2**63 - 1


class IntegrityCheckSerializer(serializers.ModelSerializer[IntegrityCheck]):
    state = serializers.ChoiceField(choices=CheckState.choices)

    class Meta:
        model = IntegrityCheck
        fields = [
            "id",
            "state",
            "is_scheduled",
            "file_count",
            "done_count",
            "byte_count",
            "missing_count",
            "changed_count",
            "repaired_count",
            "created_at",
            "ended_at",
        ]


class DamagedFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(source="item.path")
    sha256 = serializers.CharField(source="blob.sha256")
    size = serializers.IntegerField(source="blob.size")
    damage = serializers.ChoiceField(source="blob.damage", choices=Damage.choices)
    from_revision = serializers.IntegerField()
    to_revision = serializers.IntegerField(allow_null=True, help_text="First revision without it; null: has it now.")


class IntegritySerializer(serializers.Serializer[Any]):
    check = IntegrityCheckSerializer(allow_null=True, help_text="The newest one.")
    damaged_count = serializers.IntegerField(help_text="Files in quarantine, of any revision.")
    results = DamagedFileSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="What `cursor` is on the next page.")


class KeyedQuery(serializers.Serializer[Any]):
    cursor = serializers.IntegerField(required=False, min_value=0, max_value=KEY, default=0, help_text="From `next`.")
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200, default=50)


class IntegrityView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_integrity_retrieve", parameters=[DATASET, KeyedQuery], responses=IntegritySerializer
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """The newest check, and the files that are in quarantine."""
        dataset = visible_dataset(request, dataset_id)
        form = KeyedQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        size = form.validated_data["page_size"]
        rows = integrity.damaged_files(dataset)
        found = list(rows.filter(pk__gt=form.validated_data["cursor"])[: size + 1])
        answer = {
            "check": integrity.latest_check(dataset),
            "damaged_count": rows.count(),
            "results": found[:size],
            "next": found[size - 1].pk if len(found) > size else None,
        }
        return Response(IntegritySerializer(answer).data)

    @extend_schema(
        operation_id="datasets_integrity_create",
        parameters=[DATASET],
        request=None,
        responses={202: IntegrityCheckSerializer},
    )
    def post(self, request: ApiRequest, dataset_id: Any) -> Response:
        """Have every file read against its digest, of all revisions, in the background."""
        check = services.integrity_check(actor=request.actor, dataset=visible_dataset(request, dataset_id))
        return Response(IntegrityCheckSerializer(check).data, status=status.HTTP_202_ACCEPTED)


class SameDatasetSerializer(serializers.ModelSerializer[Dataset]):
    project_id = serializers.UUIDField()

    class Meta:
        model = Dataset
        fields = ["id", "name", "project_id", "image_count", "byte_count"]


class SameSerializer(serializers.Serializer[Any]):
    root_hash = serializers.CharField()
    datasets = SameDatasetSerializer(many=True)


class DuplicateSetsSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True, help_text="What `cursor` is on the next page.")
    results = SameSerializer(many=True)


class DuplicateSetsQuery(serializers.Serializer[Any]):
    cursor = serializers.RegexField(
        r"^([0-9a-f]{64})?\Z", required=False, allow_blank=True, default="", help_text="From `next`."
    )
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200, default=50)


class DuplicateSetsView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_duplicates_retrieve",
        parameters=[DuplicateSetsQuery],
        responses=DuplicateSetsSerializer,
    )
    def get(self, request: ApiRequest) -> Response:
        """Datasets that hold the same (paths, bytes, labels, uploaded splits, classes), of those that I may see."""
        policy.require_scope(request.actor, "datasets.view_dataset")
        form = DuplicateSetsQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        size = form.validated_data["page_size"]
        found = integrity.duplicate_sets(request.actor, after=form.validated_data["cursor"], size=size + 1)
        last = found[size - 1].root_hash if len(found) > size else None
        return Response(DuplicateSetsSerializer({"next": last, "results": found[:size]}).data)


class DuplicateImageSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="item_id")
    path = serializers.CharField(source="item.path")
    split = serializers.CharField(allow_blank=True, help_text="That its upload named.")


class DuplicateImagesSerializer(serializers.Serializer[Any]):
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    images = DuplicateImageSerializer(many=True)


class AlikeImageSerializer(DuplicateImageSerializer):
    split = serializers.CharField(source="in_split", allow_blank=True, help_text="The one in force.")


class AlikeSerializer(serializers.Serializer[Any]):
    leaks = serializers.BooleanField(help_text="They are in several splits.")
    images = AlikeImageSerializer(many=True)


class DuplicateImagePageSerializer(serializers.Serializer[Any]):
    compared = serializers.IntegerField(
        allow_null=True,
        help_text="Pictures that were compared by what they look like; null until a worker has done it.",
    )
    near = AlikeSerializer(many=True, help_text="Up to 100 groups that look almost the same, of each up to 20.")
    next = serializers.IntegerField(allow_null=True, help_text="What `cursor` is on the next page.")
    results = DuplicateImagesSerializer(many=True)


class DuplicateImagesView(APIView):
    request: ApiRequest

    @extend_schema(
        operation_id="datasets_duplicate_images_retrieve",
        parameters=[DATASET, KeyedQuery],
        responses=DuplicateImagePageSerializer,
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> Response:
        """Pictures that the dataset holds under several paths now, and those that look almost the same."""
        dataset = visible_dataset(request, dataset_id)
        form = KeyedQuery(data=request.query_params)
        form.is_valid(raise_exception=True)
        size = form.validated_data["page_size"]
        found = integrity.duplicate_images(dataset, after=form.validated_data["cursor"], size=size + 1)
        rows = [{"sha256": blob.sha256, "size": blob.size, "images": entries} for blob, entries in found[:size]]
        last = found[size - 1][0].pk if len(found) > size else None
        compared, near = integrity.alike_images(dataset)
        answer = {"compared": compared, "near": near, "next": last, "results": rows}
        return Response(DuplicateImagePageSerializer(answer).data)
