import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.evaluation.models import InferenceInput, InferenceJob
from apps.evaluation.selectors import input_url, result_of
from apps.jobs.api.serializers import JobSummarySerializer
from apps.jobs.selectors import summary

MAX_CONFIG_CHARACTERS = 16_384


@extend_schema_field({"type": "string", "description": "A JSON object."})
class SettingsField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """Settings as JSON in a field of a multipart form."""

    default_error_messages = {"malformed": "This is not a JSON object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, str) or len(data) > MAX_CONFIG_CHARACTERS:
            self.fail("malformed")
        try:
            found = json.loads(data or "{}", parse_constant=_refuse)
        except (ValueError, RecursionError):
            self.fail("malformed")
        if not isinstance(found, dict):
            self.fail("malformed")
        return found

    def to_representation(self, value: Any) -> Any:
        return value


def _refuse(name: str) -> None:
    raise ValueError(name)


class InferenceCreateSerializer(serializers.Serializer[Any]):
    """Pictures, and either a checkpoint or a training, whose best checkpoint is taken (its last without one)."""

    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        default=list,
        help_text="1 to 64 pictures (JPEG, PNG, WebP, BMP, TIFF) of at most 32 MiB, 256 MiB in all.",
    )
    checkpoint_id = serializers.UUIDField(required=False)
    training_job_id = serializers.UUIDField(required=False)
    config = SettingsField(required=False, help_text="Settings of the trainer's mode `predict`, as a JSON object.")
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if ("checkpoint_id" in values) == ("training_job_id" in values):
            raise serializers.ValidationError({"checkpoint_id": "Give either checkpoint_id or training_job_id."})
        return values


class InferenceInputSerializer(serializers.ModelSerializer[InferenceInput]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = InferenceInput
        fields = ["no", "name", "size", "media_type", "width", "height", "sha256", "url"]
        read_only_fields = fields

    def get_url(self, picture: InferenceInput) -> str:
        return input_url(picture.job_id, picture.no)


class BoxSerializer(serializers.Serializer[Any]):
    bbox = serializers.ListField(
        child=serializers.FloatField(), help_text="x, y, width, height in pixels of the upright picture."
    )
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField()

    def get_fields(self) -> dict[str, Any]:
        # `class` is no name for an attribute.
        return {**super().get_fields(), "class": serializers.IntegerField()}


class ScoreSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField()


class PredictionSerializer(serializers.Serializer[Any]):
    no = serializers.IntegerField()
    name = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    milliseconds = serializers.FloatField(allow_null=True)
    boxes = BoxSerializer(many=True)
    scores = ScoreSerializer(many=True, help_text="Of the whole picture, surest first.")


class FoundClassSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class ResultSerializer(serializers.Serializer[Any]):
    predictions = PredictionSerializer(many=True)
    classes = FoundClassSerializer(many=True, help_text="Classes that occur in the predictions.")
    summary = serializers.DictField(help_text="Whatever else the trainer says of the whole.")
    file = serializers.IntegerField(
        allow_null=True, help_text="Bytes of predictions too large to be shown: the predictions here have no boxes."
    )


class InferenceJobSerializer(serializers.ModelSerializer[InferenceJob]):
    """An inference and, under `job`, how it stands."""

    id = serializers.UUIDField(source="pk", read_only=True)
    project_id = serializers.UUIDField(source="job.project_id", read_only=True)
    name = serializers.CharField(source="job.name", read_only=True)
    checkpoint_id = serializers.UUIDField(read_only=True)
    training_job_id = serializers.UUIDField(source="checkpoint.job_id", read_only=True, allow_null=True)
    config = serializers.DictField(read_only=True)
    input_count = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(source="job.created_at", read_only=True)
    job = serializers.SerializerMethodField()

    class Meta:
        model = InferenceJob
        fields = [
            "id",
            "project_id",
            "name",
            "checkpoint_id",
            "training_job_id",
            "trainer",
            "task",
            "config",
            "input_count",
            "created_at",
            "job",
        ]
        read_only_fields = fields

    def get_job(self, inference: InferenceJob) -> JobSummarySerializer:
        may_change = inference.pk in self.context.get("changeable", ())
        return JobSummarySerializer(summary(inference.job, may_change=may_change)).data  # type: ignore[return-value]


class InferenceJobDetailSerializer(InferenceJobSerializer):
    """With its pictures and, once it has succeeded, what the model said about each."""

    inputs = InferenceInputSerializer(many=True, read_only=True)
    result = serializers.SerializerMethodField()

    class Meta(InferenceJobSerializer.Meta):
        fields = [*InferenceJobSerializer.Meta.fields, "inputs", "result"]
        read_only_fields = fields

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, inference: InferenceJob) -> Any:
        return result_of(inference)
