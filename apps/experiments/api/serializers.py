from typing import Any

from rest_framework import serializers

from apps.core.api.serializers import PurgeDueField, VisibleField
from apps.experiments.models import Experiment, Run
from apps.projects.models import Project


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    project_id = VisibleField(source="project", queryset=Project.objects.none(), help_text="Fixed once created.")
    run_count = serializers.IntegerField(read_only=True)
    finished_run_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Experiment
        fields = [
            "id",
            "project_id",
            "name",
            "description",
            "is_default",
            "run_count",
            "finished_run_count",
            "mlflow_experiment_id",
            "mirror_state",
            "mirror_error",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = [
            "id",
            "is_default",
            "mlflow_experiment_id",
            "mirror_state",
            "mirror_error",
            "created_at",
            "updated_at",
            "version",
        ]
        # Uniqueness is the service's business: it holds the lock.
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["project_id"].read_only = True
        return fields


class TrashedExperimentSerializer(serializers.ModelSerializer[Experiment]):
    """An experiment in the trash."""

    purge_due_at = PurgeDueField()

    class Meta:
        model = Experiment
        fields = ["id", "project_id", "name", "deleted_at", "purge_due_at"]
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer[Run]):
    experiment_id = serializers.UUIDField(read_only=True)
    project_id = serializers.UUIDField(read_only=True)
    params = serializers.DictField(read_only=True)
    tags = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Run
        fields = [
            "id",
            "experiment_id",
            "project_id",
            "name",
            "status",
            "started_at",
            "ended_at",
            "params",
            "tags",
            "mlflow_run_id",
            "mirror_state",
            "mirror_error",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = fields
