from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.core.api.serializers import VisibleField
from apps.datasets.models import Dataset, Snapshot
from apps.jobs.api.serializers import JobSummarySerializer
from apps.jobs.selectors import summary
from apps.projects.models import Project
from apps.resources.models import ResourceGroup
from apps.training.cron import times_after
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob, TrainingSchedule


class OwnSplitSerializer(serializers.Serializer[Any]):
    """As the split of a dataset is set, without paths."""

    method = serializers.CharField(max_length=10, help_text="auto, stratified, grouped or uploaded.")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    ratios = serializers.DictField(child=serializers.FloatField(), required=False)
    pattern = serializers.CharField(max_length=200, required=False, allow_blank=True)

    def to_representation(self, instance: Any) -> Any:
        return instance or None


class RefusalSerializer(serializers.Serializer[Any]):
    """Why the last time started nothing."""

    code = serializers.CharField()
    text = serializers.CharField(help_text="In the language of the person who made the schedule.")
    hint = serializers.CharField(allow_blank=True)

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(instance) if instance else None


class TrainingScheduleSerializer(serializers.Serializer[Any]):
    """When copies of the training start by themselves."""

    cron = serializers.CharField(
        max_length=100,
        help_text="Minute, hour, day of the month, month, day of the week (0 is Sunday): `0 3 * * mon`.",
    )
    time_zone = serializers.CharField(max_length=60, help_text="Name of the IANA database, such as Asia/Seoul.")
    next_at = serializers.SerializerMethodField()
    last_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_training_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="What it started last, null: nothing, or it was deleted."
    )
    refusal = RefusalSerializer(read_only=True, allow_null=True)

    def get_next_at(self, schedule: TrainingSchedule) -> datetime:
        return times_after(schedule.cron, schedule.time_zone, timezone.now(), 1)[0]


class TrainingJobSerializer(serializers.ModelSerializer[TrainingJob]):
    """A training and, under `job`, how it stands."""

    id = serializers.UUIDField(source="pk", read_only=True)
    project_id = VisibleField(source="job.project", queryset=Project.objects.none())
    name = serializers.CharField(source="job.name", max_length=120)
    config = serializers.DictField(required=False, help_text="Settings; see the trainer's config-schema.")
    trainer = serializers.CharField(max_length=63)
    task = serializers.CharField(max_length=40, required=False, allow_blank=True)
    model = serializers.CharField(max_length=120, required=False, allow_blank=True)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    dataset_id = VisibleField(source="dataset", queryset=Dataset.objects.none(), required=False, allow_null=True)
    dataset_version_id = VisibleField(
        source="dataset_version",
        queryset=Snapshot.objects.none(),
        required=False,
        allow_null=True,
        help_text="Snapshot of the dataset to learn from; null: the dataset as it is when the training starts. "
        "Another dataset sets it back.",
    )
    start_from_id = VisibleField(
        source="start_from", queryset=Checkpoint.objects.none(), required=False, allow_null=True
    )
    split = OwnSplitSerializer(
        required=False, allow_null=True, help_text="Before the split of the dataset; null: the dataset's counts."
    )
    snapshot_id = serializers.UUIDField(read_only=True, allow_null=True)
    run_id = serializers.UUIDField(read_only=True, allow_null=True)
    retry_of_id = serializers.UUIDField(source="job.retry_of_id", read_only=True, allow_null=True)
    resource_group_id = VisibleField(
        source="job.resource_group", queryset=ResourceGroup.objects.none(), required=False
    )
    priority = serializers.IntegerField(source="job.priority", min_value=-10, max_value=10, required=False)
    cpus = serializers.IntegerField(source="job.cpus", min_value=1, max_value=1024, required=False)
    memory_mb = serializers.IntegerField(source="job.memory_mb", min_value=128, max_value=16_000_000, required=False)
    gpus = serializers.IntegerField(source="job.gpus", min_value=0, max_value=64, required=False)
    not_before = serializers.DateTimeField(source="job.not_before", required=False, allow_null=True)
    created_at = serializers.DateTimeField(source="job.created_at", read_only=True)
    version = serializers.IntegerField(source="job.version", read_only=True)
    schedule = TrainingScheduleSerializer(
        read_only=True, allow_null=True, help_text="null: it starts only when somebody starts it."
    )
    job = serializers.SerializerMethodField()

    class Meta:
        model = TrainingJob
        fields = [
            "id",
            "project_id",
            "name",
            "trainer",
            "task",
            "model",
            "config",
            "seed",
            "dataset_id",
            "dataset_version_id",
            "start_from_id",
            "split",
            "snapshot_id",
            "run_id",
            "retry_of_id",
            "resource_group_id",
            "priority",
            "cpus",
            "memory_mb",
            "gpus",
            "not_before",
            "created_at",
            "version",
            "schedule",
            "job",
        ]

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["project_id"].read_only = fields["trainer"].read_only = True
        return fields

    def get_job(self, training: TrainingJob) -> JobSummarySerializer:
        may_change = training.pk in self.context.get("changeable", ())
        found = summary(training.job, may_change=may_change)
        return self._summaries.to_representation(found)  # type: ignore[return-value]

    @cached_property
    def _summaries(self) -> JobSummarySerializer:
        """One for all rows of a list: its fields are made once."""
        return JobSummarySerializer()

    def flat(self) -> dict[str, Any]:
        """The validated input as the services take it."""
        values = dict(self.validated_data)
        return {**values.pop("job", {}), **values}


class ForecastSerializer(serializers.Serializer[Any]):
    """GPU hours that earlier trainings of the same trainer, task, model, length and number of GPUs took on the resource
    group; null where there are none, for then nothing is known."""

    gpus = serializers.IntegerField()
    runs = serializers.IntegerField(help_text="Earlier trainings that the figures come from.")
    same_dataset = serializers.BooleanField(help_text="They were on this dataset.")
    low = serializers.FloatField(allow_null=True, help_text="The fewest.")
    likely = serializers.FloatField(allow_null=True, help_text="The middle one.")
    high = serializers.FloatField(allow_null=True, help_text="The most.")
    left = serializers.FloatField(
        allow_null=True, help_text="What the organization has left this month; null: no limit."
    )
    text = serializers.CharField()


class SeriesSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    group = serializers.CharField()
    split = serializers.CharField()
    scope = serializers.CharField()
    goal = serializers.CharField(allow_null=True)
    primary = serializers.BooleanField()
    count = serializers.IntegerField()
    last = serializers.FloatField(allow_null=True)
    best = serializers.FloatField(allow_null=True)
    points = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True)),
        required=False,
        help_text="[step, epoch, Unix time, value, attempt number]",
    )
    downsampled = serializers.BooleanField(required=False)


class MetricsSerializer(serializers.Serializer[Any]):
    series = SeriesSerializer(many=True)
    event_seq = serializers.IntegerField(help_text="Cursor that these series include.")


class LogSerializer(serializers.Serializer[Any]):
    offset = serializers.IntegerField(required=False)
    next_offset = serializers.IntegerField(required=False)
    size = serializers.IntegerField(required=False)
    text = serializers.CharField(required=False, allow_blank=True)
    complete = serializers.BooleanField(required=False)
    truncated = serializers.BooleanField(required=False)
    matches = serializers.ListField(child=serializers.DictField(), required=False)
    more = serializers.BooleanField(required=False)


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    kind = serializers.ChoiceField(choices=CheckpointKind.choices, read_only=True)
    metrics = serializers.DictField(read_only=True)
    download_url = serializers.SerializerMethodField()

    class Meta:
        model = Checkpoint
        fields = [
            "id",
            "kind",
            "name",
            "step",
            "epoch",
            "attempt_no",
            "size",
            "sha256",
            "metrics",
            "created_at",
            "download_url",
        ]
        read_only_fields = fields

    def get_download_url(self, checkpoint: Checkpoint) -> str:
        return f"/api/v1/training-jobs/{checkpoint.job_id}/checkpoints/{checkpoint.pk}/content"


class ArtifactSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    kind = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField()
    data = serializers.JSONField(allow_null=True)  # type: ignore[assignment]
    url = serializers.CharField()
    updated_at = serializers.DateTimeField()
