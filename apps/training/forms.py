"""The form of a training: everything but the trainer's settings, which `apps.trainers.forms` draws."""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core import time_zones
from apps.core.identity import Actor
from apps.core.portal import RowChoiceField
from apps.datasets.forms import SplitForm
from apps.datasets.models import Dataset, Snapshot, Split, Task
from apps.datasets.selectors import datasets_for_choice
from apps.datasets.selectors.versions import is_tag, versions_for_choice
from apps.datasets.services.splits import OF_JOBS
from apps.projects.models import Project
from apps.projects.selectors import projects_for_choice
from apps.resources.models import ResourceGroup
from apps.resources.selectors import groups_for_choice, largest_of
from apps.trainers.catalogue import Trainer
from apps.trainers.forms import cpu_preset
from apps.training.cron import MAX_LENGTH
from apps.training.models import Checkpoint, TrainingJob
from apps.training.selectors import weights_for_choice

SPLIT_FIELDS = ("split_method", "split_train", "split_val", "split_test", "split_seed", "split_pattern")


class VersionChoiceField(RowChoiceField):
    """Versions of one dataset, told apart by their revisions and by what they have to learn from."""

    def label_from_instance(self, obj: Any) -> str:
        counts = _("train %(train)s, val %(val)s, test %(test)s") % obj.counts
        return f"{obj.tag} (r{obj.revision.no}) · {counts}"


class WeightsChoiceField(RowChoiceField):
    """Weights, told apart by the training that wrote them."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.job.name if obj.job else '–'} · {obj}"


class TrainingForm(forms.Form):
    """The trainer is chosen before. With `training`, a draft, its trainer and project stay.

    `first_settings` are the settings that a new training begins with, where they are not the trainer's defaults: on
    machines without a GPU those of the trainer's preset for them.
    """

    project = RowChoiceField(label=_("Project"), queryset=Project.objects.none(), search=("name",))
    name = forms.CharField(label=_("Name"), max_length=120)
    dataset = RowChoiceField(label=_("Dataset"), queryset=Dataset.objects.none(), search=("name",), required=False)
    # Stands behind the dataset, whose versions it lists: `clean_dataset` comes first.
    dataset_version = VersionChoiceField(
        label=_("Dataset version"),
        queryset=Snapshot.objects.none(),
        search=("tag",),
        empty_label=_("Latest (fixed when it starts)"),
        required=False,
        error_messages={"invalid_choice": _("Choose a version of this dataset.")},
    )
    task = forms.ChoiceField(label=_("Task"))
    model = forms.ChoiceField(label=_("Model"), required=False)
    start_from = WeightsChoiceField(
        label=_("Starts from"),
        queryset=Checkpoint.objects.none(),
        search=("job__name",),
        empty_label=_("The model as the trainer has it"),
        required=False,
        help_text=_("Weights of an earlier training with this trainer; the model has to be the same."),
    )
    resource_group = forms.ModelChoiceField(label=_("Resource group"), queryset=ResourceGroup.objects.none())
    cpus = forms.IntegerField(label=_("CPUs"), min_value=1, max_value=1024)
    memory_mb = forms.IntegerField(label=_("Memory in MB"), min_value=128, max_value=16_000_000)
    gpus = forms.IntegerField(label=_("GPUs"), min_value=0, max_value=64)
    priority = forms.IntegerField(
        label=_("Priority"), min_value=-10, max_value=10, initial=0, help_text=_("Higher goes first.")
    )
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**31 - 1, initial=0)

    split_method = forms.ChoiceField(
        label=_("Split"),
        choices=[("", _("As the dataset has it")), *((found.value, found.label) for found in OF_JOBS)],
        required=False,
        help_text=_("A split of its own comes before the dataset's."),
    )
    split_train = forms.FloatField(label=_("Training"), min_value=0, max_value=1, initial=0.8, required=False)
    split_val = forms.FloatField(label=_("Validation"), min_value=0, max_value=1, initial=0.2, required=False)
    split_test = forms.FloatField(label=_("Test"), min_value=0, max_value=1, initial=0.0, required=False)
    split_seed = forms.IntegerField(
        label=_("Seed of the split"), min_value=0, max_value=2**31 - 1, initial=0, required=False
    )
    split_pattern = forms.CharField(
        label=_("What names a group"),
        max_length=200,
        required=False,
        help_text=SplitForm.base_fields["pattern"].help_text,
    )

    def __init__(
        self, *args: Any, actor: Actor, trainer: Trainer, training: TrainingJob | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.first_settings: dict[str, Any] = {}
        fields: dict[str, Any] = self.fields
        fields["project"].queryset = projects_for_choice(actor)
        fields["project"].empty_label = _("Choose a project")
        fields["dataset"].empty_label = _("Choose a dataset")
        fields["resource_group"].empty_label = None
        fields["name"].initial = _("Training %(time)s") % {"time": f"{timezone.localtime():%Y-%m-%d %H:%M}"}
        if fields["project"].queryset.count() == 1:
            fields["project"].initial = fields["project"].queryset.first()
        fields["dataset"].queryset = datasets_for_choice(actor)
        fields["dataset"].required = trainer.needs_dataset
        if not trainer.needs_dataset:
            for name in ("dataset", "dataset_version", *SPLIT_FIELDS):
                del fields[name]
        fields["start_from"].queryset = weights_for_choice(actor, trainer.name)
        if not fields["start_from"].queryset.exists():
            del fields["start_from"]
        fields["resource_group"].queryset = groups_for_choice(actor)
        descriptor = trainer.descriptor
        fields["task"].choices = [
            (task, Task(task).label if task in Task.values else task) for task in descriptor.tasks
        ]
        fields["model"].choices = [(model.name, model.title) for model in descriptor.models]
        fields["resource_group"].initial = fields["resource_group"].queryset.first()
        fields["memory_mb"].initial = descriptor.memory_mb
        fields["gpus"].initial = descriptor.gpus
        if training is None:
            self._fit_machines(trainer)
            self._fit_dataset()
        else:
            del fields["project"]
            self.initial = _values_of(training)
            if "dataset" in fields:
                self._offer_versions(fields["dataset"].queryset.filter(pk=training.dataset_id).first())

    def clean_dataset(self) -> Dataset | None:
        """The versions to choose from are those of the dataset that was chosen."""
        dataset: Dataset | None = self.cleaned_data["dataset"]
        self._offer_versions(dataset)
        return dataset

    def clean(self) -> dict[str, Any]:
        """What the fields say of the split becomes `split`, as the services take it."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: cleaned.pop(name, None) for name in SPLIT_FIELDS}
        ratios = {split: given[f"split_{split}"] or 0.0 for split in Split.values}
        cleaned["split"] = {
            "method": given["split_method"] or "",
            "seed": given["split_seed"] or 0,
            "ratios": ratios,
            "pattern": given["split_pattern"] or "",
        }
        return cleaned

    def _fit_dataset(self) -> None:
        """A dataset that the address names brings its project and, where the trainer knows it, its task; `version`
        is the tag of one of its versions."""
        if "dataset" not in self.fields or not self.initial.get("dataset"):
            return
        try:
            dataset = self.fields["dataset"].clean(self.initial["dataset"])
        except forms.ValidationError:
            del self.initial["dataset"]
            return
        self.initial.setdefault("project", dataset.project_id)
        self.initial.setdefault("task", dataset.task)
        if not self.is_bound:
            self._offer_versions(dataset)
            self.initial["dataset_version"] = self._version_tagged(self.initial.get("version", ""))

    def _offer_versions(self, dataset: Dataset | None) -> None:
        if dataset is None:
            return
        field: Any = self.fields["dataset_version"]
        field.queryset = versions_for_choice(dataset)
        if field.is_long:
            field.help_text = _("Empty: the latest, fixed when the training starts.")

    def _version_tagged(self, tag: str) -> Snapshot | None:
        field: Any = self.fields["dataset_version"]
        return field.queryset.filter(tag=tag).first() if is_tag(tag) else None

    def _fit_machines(self, trainer: Trainer) -> None:
        """One CPU is left for a quick test beside the training; without a GPU the preset for CPUs comes first."""
        fields: dict[str, Any] = self.fields
        machine = largest_of(fields["resource_group"].initial)
        fields["cpus"].initial = trainer.descriptor.cpus
        if machine is None:
            return
        fields["cpus"].initial = min(trainer.descriptor.cpus, max(1, machine.cpus - 1))
        preset = cpu_preset(trainer, "train") if not machine.gpus else None
        if preset is not None:
            self.first_settings = preset["values"]
            fields["model"].initial = preset.get("model")


def _values_of(training: TrainingJob) -> dict[str, Any]:
    work = {
        name: getattr(training, name) for name in ("dataset", "dataset_version", "task", "model", "seed", "start_from")
    }
    asked = ("name", "resource_group", "cpus", "memory_mb", "gpus", "priority")
    own = training.split
    split = {"split_method": own.get("method", ""), "split_seed": own.get("seed", 0)}
    split |= {f"split_{name}": share for name, share in own.get("ratios", {}).items()}
    split["split_pattern"] = own.get("pattern", "")
    return {**work, **split, **{name: getattr(training.job, name) for name in asked}}


class ScheduleForm(forms.Form):
    """When copies of a training start."""

    cron = forms.CharField(
        label=_("Times"),
        max_length=MAX_LENGTH,
        help_text=_("Minute, hour, day of the month, month, day of the week (0 is Sunday); * is every one."),
        widget=forms.TextInput(attrs={"list": "times-of-schedules", "autocomplete": "off", "spellcheck": "false"}),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zones.choices,
    )

    @property
    def suggestions(self) -> list[tuple[str, Any]]:
        """Expressions to choose from, and what they say."""
        return [
            ("0 * * * *", _("Every hour")),
            ("0 3 * * *", _("Every day at 03:00")),
            ("0 3 * * 1", _("Every Monday at 03:00")),
            ("0 3 1 * *", _("On the first of every month at 03:00")),
        ]
