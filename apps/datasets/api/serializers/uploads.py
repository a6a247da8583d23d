"""Uploads and what their analysis found."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.identity import Actor
from apps.datasets.api.serializers.datasets import (
    DatasetClassSerializer,
    DatasetObjectSerializer,
    SplitCountSerializer,
)
from apps.datasets.defects import Defect, describe
from apps.datasets.foreign import CHOICES as FORMAT_CHOICES
from apps.datasets.models import PublishMode, Upload, UploadSource, UploadState
from apps.datasets.selectors.integrity import elsewhere_seen
from apps.datasets.sources import failure_words

FORMAT_HELP = (
    "One of GET /datasets/formats that datumaro reads; `datumaro`: whichever it finds; empty: told by the portal."
)


class DatasetDefectSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    severity = serializers.ChoiceField(choices=["error", "warning"])
    path = serializers.CharField(allow_null=True)
    line = serializers.IntegerField(allow_null=True)
    params = serializers.DictField()
    detail = serializers.CharField(help_text="What is wrong, in the language of the request.")
    hint = serializers.CharField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        sentence, hint = describe(Defect(**instance))
        return {**instance, "detail": sentence, "hint": hint}


class UploadPreviewSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    split = serializers.CharField(allow_null=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    sha256 = serializers.CharField()
    labelled = serializers.BooleanField()
    objects = DatasetObjectSerializer(many=True)


class AnalysedClassSerializer(DatasetClassSerializer):
    boxes = serializers.IntegerField()
    images = serializers.IntegerField()


class ElsewhereSerializer(serializers.Serializer[Any]):
    dataset_id = serializers.UUIDField()
    name = serializers.CharField()
    images = serializers.IntegerField(help_text="Pictures of the set that this dataset has too, byte for byte.")


class DatasetAnalysisSerializer(serializers.Serializer[Any]):
    """What a set holds. `ok`: it may be published. `splits` maps a split, "" for none, to its counts."""

    ok = serializers.BooleanField()
    format = serializers.CharField()
    confidence = serializers.FloatField()
    reason = serializers.CharField()
    task = serializers.CharField(allow_null=True)
    classes = AnalysedClassSerializer(many=True)
    images = serializers.IntegerField()
    labelled = serializers.IntegerField()
    background = serializers.IntegerField(help_text="Labelled images without any object.")
    unlabelled = serializers.IntegerField()
    boxes = serializers.IntegerField()
    splits = serializers.DictField(child=SplitCountSerializer())
    files = serializers.IntegerField()
    bytes = serializers.IntegerField()
    image_bytes = serializers.IntegerField()
    width = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    height = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    image_formats = serializers.DictField(child=serializers.IntegerField())
    duplicates = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    duplicate_images = serializers.IntegerField(help_text="Images that are the same as one before them.")
    leaks = serializers.IntegerField(help_text="Images that are the same as one of another split.")
    near_duplicates = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Paths of images that look almost the same: the first 100 groups, of each the first 100.",
    )
    near_images = serializers.IntegerField(help_text="Images that look almost the same as one before them.")
    near_leaks = serializers.IntegerField(help_text="Those among them whose other is in another split.")
    compared = serializers.IntegerField(help_text="Images that were compared by what they look like.")
    compared_of = serializers.IntegerField(
        help_text="Images of different content; the others follow in the background."
    )
    known_images = serializers.IntegerField(
        help_text="Images that this dataset has under another path, or one that looks almost the same."
    )
    known_leaks = serializers.IntegerField(help_text="Those among them whose other is in another split.")
    elsewhere = ElsewhereSerializer(many=True, help_text="Datasets of the organization, of those that you see.")
    preview = UploadPreviewSerializer(many=True)
    errors = serializers.IntegerField()  # type: ignore[assignment]
    warnings = serializers.IntegerField()
    defect_counts = serializers.DictField(child=serializers.IntegerField())
    defects = DatasetDefectSerializer(many=True)


def analysis_answer(actor: Actor, analysis: Mapping[str, Any], elsewhere: Mapping[str, int]) -> Any:
    """The document of an analysis as the actor may read it."""
    seen = [
        {"dataset_id": dataset.pk, "name": dataset.name, "images": images}
        for dataset, images in elsewhere_seen(actor, elsewhere)
    ]
    return DatasetAnalysisSerializer({**analysis, "elsewhere": seen}).data


#: Nullable objects, written out: a reference cannot be null in OpenAPI 3.0.
PROGRESS = {
    "type": "object",
    "nullable": True,
    "required": ["done", "total", "bytes"],
    "properties": {
        "done": {"type": "integer"},
        "total": {"type": "integer", "nullable": True},
        "bytes": {"type": "integer"},
    },
}
FAILURE = {
    "type": "object",
    "nullable": True,
    "required": ["code", "params", "message", "hint"],
    "properties": {
        "code": {"type": "string"},
        "params": {"type": "object", "additionalProperties": True},
        "message": {"type": "string"},
        "hint": {"type": "string"},
    },
}


class UploadSerializer(serializers.ModelSerializer[Upload]):
    dataset_id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(choices=UploadState.choices, read_only=True)
    state_label = serializers.CharField(source="get_state_display", read_only=True)
    mode = serializers.ChoiceField(choices=PublishMode.choices, required=False)
    direct = serializers.BooleanField(
        write_only=True, required=False, help_text="Its files go straight to the object store (where it takes them)."
    )
    source = serializers.ChoiceField(choices=UploadSource.choices, read_only=True)  # type: ignore[assignment]
    place = serializers.CharField(
        source="place_text", read_only=True, help_text="Where its files are fetched from; empty when they are sent."
    )
    class_map = serializers.DictField(
        child=serializers.CharField(allow_null=True), read_only=True, help_text="Other names that its classes got."
    )
    progress = serializers.SerializerMethodField()
    failure = serializers.SerializerMethodField()
    revision = serializers.IntegerField(source="revision.no", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Upload
        fields = [
            "id",
            "dataset_id",
            "state",
            "state_label",
            "source",
            "place",
            "direct",
            "mode",
            "note",
            "lenient",
            "format",
            "class_map",
            "file_count",
            "byte_count",
            "progress",
            "failure",
            "revision",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = ["id", "lenient", "file_count", "byte_count", "created_at", "updated_at", "version"]
        extra_kwargs = {"format": {"read_only": True, "help_text": FORMAT_HELP}}

    @extend_schema_field(PROGRESS)
    def get_progress(self, upload: Upload) -> Any:
        return upload.progress or None

    @extend_schema_field(FAILURE)
    def get_failure(self, upload: Upload) -> Any:
        if not upload.failure:
            return None
        message, hint = failure_words(upload.failure)
        return {**upload.failure, "message": message, "hint": hint}


class ReceivedSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    size = serializers.IntegerField()


class UploadDetailSerializer(UploadSerializer):
    """With the analysis (empty until the state is ready or refused), and the files that have arrived while more are
    received."""

    analysis = serializers.SerializerMethodField()
    files = ReceivedSerializer(many=True, read_only=True, source="received")
    begun = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Paths of files that have arrived in part."
    )

    class Meta(UploadSerializer.Meta):
        fields = [*UploadSerializer.Meta.fields, "analysis", "files", "begun"]

    @extend_schema_field(DatasetAnalysisSerializer)
    def get_analysis(self, upload: Upload) -> Any:
        return analysis_answer(self.context["request"].actor, upload.known_analysis, upload.elsewhere)


class ReceivedFileSerializer(ReceivedSerializer):
    sha256 = serializers.CharField()
    kept = serializers.BooleanField(help_text="False for files that systems leave behind, which are dropped.")


class AnalyzeSerializer(serializers.Serializer[Any]):
    lenient = serializers.BooleanField(default=False)


class UploadAnalyzeSerializer(AnalyzeSerializer):
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, required=False, allow_blank=True, help_text=FORMAT_HELP)


class UploadPublishSerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=PublishMode.choices, required=False)
    note = serializers.CharField(max_length=300, required=False, allow_blank=True)
    classes = serializers.DictField(
        child=serializers.CharField(allow_null=True, max_length=100),
        required=False,
        help_text="Other names for classes of the upload; two of one name are merged, null leaves a class out.",
    )
