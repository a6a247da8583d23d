from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.admin import PolicyAdmin, ReadOnlyAdmin, each_row, search_select
from apps.core.admin.reasons import ReasonedForm
from apps.core.entities import PLAIN
from apps.core.identity.requests import PortalRequest
from apps.core.templatetags.ui import format_bytes
from apps.datasets.models import Dataset, Task
from apps.jobs.models import Job
from apps.jobs.services.lifecycle import job_resume, job_stop
from apps.jobs.states import JobState
from apps.resources.models import ResourceGroup
from apps.shares.admin import GroupShareAdmin, ShareAdmin
from apps.training import schedules, services
from apps.training.models import Checkpoint, TrainingJob, TrainingJobGroupShare, TrainingJobUserShare

#: Of a draft, what its job asks for.
REQUEST = ("name", "priority", "not_before", "resource_group", "cpus", "memory_mb", "gpus")
#: And what it does; the trainer's own form stands in the portal. Unfold takes a posted field called
#: `dataset` for an action on a list of its own.
WORK = ("dataset_id", "seed", "config")


def _label(name: str, model: type[Model] = Job) -> Any:
    field: Any = model._meta.get_field(name)
    return capfirst(field.verbose_name)


def _number(name: str, lowest: int, highest: int, **more: Any) -> forms.IntegerField:
    widget = UnfoldAdminIntegerFieldWidget()
    return forms.IntegerField(label=_label(name), min_value=lowest, max_value=highest, widget=widget, **more)


class DraftForm(ReasonedForm):
    """A draft with what its job asks for."""

    name = forms.CharField(label=_label("name"), max_length=120, validators=[PLAIN], widget=UnfoldAdminTextInputWidget)
    priority = _number("priority", -10, 10, help_text=_("Higher goes first."))
    not_before = forms.SplitDateTimeField(
        label=_label("not_before"), required=False, widget=UnfoldAdminSplitDateTimeWidget
    )
    resource_group = forms.ModelChoiceField(
        ResourceGroup.objects.none(), label=_label("resource_group"), widget=search_select(Job, "resource_group")
    )
    cpus = _number("cpus", 1, 1024)
    memory_mb = _number("memory_mb", 128, 2**31 - 1)
    gpus = _number("gpus", 0, 64)
    dataset_id = forms.ModelChoiceField(
        Dataset.objects.none(),
        label=_label("dataset", TrainingJob),
        required=False,
        widget=search_select(TrainingJob, "dataset"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job = self.instance.job
        asked = {name: getattr(job, name) for name in REQUEST if name != "resource_group"}
        chosen = {"resource_group": job.resource_group_id, "dataset_id": self.instance.dataset_id}
        self.initial = {**asked, **chosen, **self.initial}


@admin.register(TrainingJob)
class TrainingJobAdmin(PolicyAdmin):
    """Trainings are made in the portal or over REST; here a draft is changed, and every one is acted on."""

    form = DraftForm
    list_display = ("job", "shown_state", "trainer", "shown_task", "model", "dataset")
    list_filter = ("trainer", "task", "job__state", "job__organization")
    list_select_related = ("job__project", "dataset")
    search_fields = ("job__name", "job__id")
    actions = ("start", "stop", "resume", "retry", "clone", "unschedule")
    readonly_fields = (
        "job",
        "shown_state",
        "trainer",
        "shown_task",
        "model",
        "split",
        "dataset_version",
        "snapshot",
        "start_from",
        "run",
        "shown_schedule",
    )

    def has_add_permission(self, request: PortalRequest) -> bool:
        return False

    def has_change_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return (obj is None or obj.job.state == JobState.DRAFT) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        """A draft goes by the right to change it; what has started stays."""
        return self.has_change_permission(request, obj)

    def get_fields(self, request: PortalRequest, obj: Any = None) -> Any:
        changes = self.has_change_permission(request, obj)
        asked, work = (REQUEST, WORK) if changes else ((), ("dataset", *WORK[1:]))
        return (*self.readonly_fields[:2], *asked, *self.readonly_fields[2:5], *work, *self.readonly_fields[5:])

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.base_fields["resource_group"].queryset = ResourceGroup.objects.visible(request.actor)
        form.base_fields["dataset_id"].queryset = Dataset.objects.visible(request.actor)
        return form

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> TrainingJob:
        fields = {"dataset" if name == "dataset_id" else name: form.cleaned_data[name] for name in form.changed_data}
        return services.training_change(actor=request.actor, training=obj, **fields)

    def get_deleted_objects(
        self, objs: Any, request: PortalRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Of a draft nothing else hangs but whom it is shared with; the operation refuses the others."""
        return [str(obj) for obj in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.training_delete(actor=request.actor, training=obj)

    @admin.display(description=_("state"))
    def shown_state(self, training: TrainingJob) -> Any:
        return training.job.get_state_display()

    @admin.display(description=_("task"), ordering="task")
    def shown_task(self, training: TrainingJob) -> Any:
        return dict(Task.choices).get(training.task, training.task)

    @admin.display(description=_("schedule"))
    def shown_schedule(self, training: TrainingJob) -> str:
        return str(getattr(training, "schedule", "–"))

    @admin.action(description=_("Start the chosen drafts"))
    def start(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.training_start, _("Started: %(name)s."))

    @admin.action(description=_("Stop the chosen trainings"))
    def stop(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        done = _("Asked to stop: %(name)s.")
        each_row(request, rows, lambda training: job_stop(actor=request.actor, job=training.job), done)

    @admin.action(description=_("Resume the chosen trainings"))
    def resume(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        done = _("Goes on: %(name)s.")
        each_row(request, rows, lambda training: job_resume(actor=request.actor, job=training.job), done)

    @admin.action(description=_("Start the chosen trainings anew"))
    def retry(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.training_retry, _("Started anew: %(name)s."))

    @admin.action(description=_("Copy the chosen trainings as drafts"))
    def clone(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.training_clone, _("A copy of %(name)s is a draft now."))

    @admin.action(description=_("End the schedules of the chosen trainings"))
    def unschedule(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        done = _("No longer scheduled: %(name)s.")
        self._each(request, rows, schedules.training_unschedule, done)

    @staticmethod
    def _each(request: PortalRequest, rows: QuerySet[Any], service: Any, done: Any) -> None:
        each_row(request, rows, lambda training: service(actor=request.actor, training=training), done)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "job", "step", "epoch", "shown_size", "created_at")
    list_filter = ("kind", "trainer")
    list_select_related = ("job",)
    search_fields = ("name", "job__name", "sha256")
    fields = readonly_fields = (
        "name",
        "kind",
        "organization",
        "job",
        "attempt_no",
        "trainer",
        "task",
        "step",
        "epoch",
        "shown_size",
        "sha256",
        "metrics",
        "created_at",
    )

    @admin.display(description=_("size"), ordering="size")
    def shown_size(self, checkpoint: Checkpoint) -> str:
        return format_bytes(checkpoint.size)


@admin.register(TrainingJobUserShare)
class TrainingJobUserShareAdmin(ShareAdmin):
    list_select_related = ("content_object__job",)
    search_fields = ("content_object__job__name",)


@admin.register(TrainingJobGroupShare)
class TrainingJobGroupShareAdmin(GroupShareAdmin):
    list_select_related = ("content_object__job",)
    search_fields = ("content_object__job__name",)
