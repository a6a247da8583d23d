from typing import Any

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin, TrashAdmin
from apps.core.identity.requests import PortalRequest
from apps.experiments import services
from apps.experiments.models import Experiment, Run


@admin.register(Experiment)
class ExperimentAdmin(TrashAdmin):
    list_display = ("name", "project", "organization", "is_default", "mirror_state", "created_at")
    list_filter = ("mirror_state", "is_default", "organization")
    list_select_related = ("project", "organization")
    search_fields = ("name", "description", "project__name", "mlflow_experiment_id")
    readonly_fields = (
        "id",
        "organization",
        "is_default",
        "mlflow_experiment_id",
        "mirror_state",
        "mirror_error",
        "created_by",
        "created_at",
        "updated_at",
        "version",
    )
    fields = ("project", "name", "description", *readonly_fields)
    actions = ("restore",)

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "project") if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Experiment:
        fields = {name: form.cleaned_data[name] for name in ("name", "description")}
        if change:
            return services.experiment_change(actor=request.actor, experiment=obj, **fields)
        return services.experiment_create(actor=request.actor, project=obj.project, **fields)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.experiment_trash(actor=request.actor, experiment=obj)

    def restore_operation(self, request: PortalRequest, obj: Any) -> None:
        services.experiment_restore(actor=request.actor, experiment=obj)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("name", "experiment", "project", "status", "mirror_state", "started_at", "ended_at")
    list_filter = ("status", "mirror_state", "organization")
    list_select_related = ("experiment", "project")
    search_fields = ("name", "experiment__name", "mlflow_run_id")
    fields = (
        "id",
        "organization",
        "project",
        "experiment",
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
    )
    readonly_fields = fields
