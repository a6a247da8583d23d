"""The form of a new training: our own fields, and the trainer's settings drawn from its JSON Schema."""

import json
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.datasets.models import Dataset
from apps.projects.models import Project
from apps.projects.selectors import projects_for_choice
from apps.resources.models import ResourceGroup
from apps.trainers.catalogue import Trainer

PREFIX = "config."


class TrainingForm(forms.Form):
    """Everything but the settings; the trainer is chosen before."""

    project = forms.ModelChoiceField(label=_("Project"), queryset=Project.objects.none())
    name = forms.CharField(label=_("Name"), max_length=120)
    dataset = forms.ModelChoiceField(label=_("Dataset"), queryset=Dataset.objects.none(), required=False)
    task = forms.ChoiceField(label=_("Task"))
    model = forms.ChoiceField(label=_("Model"), required=False)
    resource_group = forms.ModelChoiceField(label=_("Resource group"), queryset=ResourceGroup.objects.none())
    cpus = forms.IntegerField(label=_("CPUs"), min_value=1, max_value=1024)
    memory_mb = forms.IntegerField(label=_("Memory in MB"), min_value=128)
    gpus = forms.IntegerField(label=_("GPUs"), min_value=0, max_value=64)
    priority = forms.IntegerField(
        label=_("Priority"), min_value=-10, max_value=10, initial=0, help_text=_("Higher goes first.")
    )
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**31 - 1, initial=0)

    def __init__(self, *args: Any, actor: Actor, trainer: Trainer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["project"].queryset = projects_for_choice(actor)
        fields["project"].empty_label = _("Choose a project")
        fields["dataset"].empty_label = _("Choose a dataset")
        fields["resource_group"].empty_label = None
        fields["name"].initial = _("Training %(time)s") % {"time": f"{timezone.localtime():%Y-%m-%d %H:%M}"}
        if fields["project"].queryset.count() == 1:
            fields["project"].initial = fields["project"].queryset.first()
        datasets = Dataset.objects.visible(actor).filter(organization=actor.organization_id)
        fields["dataset"].queryset = datasets.order_by("name")
        fields["dataset"].required = trainer.needs_dataset
        if not trainer.needs_dataset:
            del fields["dataset"]
        fields["resource_group"].queryset = ResourceGroup.objects.visible(actor).order_by("-is_default", "name")
        descriptor = trainer.descriptor
        fields["task"].choices = [(task, task) for task in descriptor.tasks]
        fields["model"].choices = [(model.name, model.title) for model in descriptor.models]
        fields["resource_group"].initial = fields["resource_group"].queryset.first()
        fields["cpus"].initial = descriptor.cpus
        fields["memory_mb"].initial = descriptor.memory_mb
        fields["gpus"].initial = descriptor.gpus


def config_of(trainer: Trainer, posted: Any) -> dict[str, Any]:
    """The settings as they were sent by the form, in the schema's types; the catalogue checks them."""
    found: dict[str, Any] = {}
    for key, field in trainer.schema("train")["properties"].items():
        kind, text = _kind(field), posted.get(PREFIX + key)
        if kind == "boolean":
            found[key] = text is not None
        elif text is not None and text.strip() != "":
            found[key] = _typed(kind, text.strip(), field)
        elif text is not None and "null" in _types(field):
            found[key] = None
    return found


def schema_fields(trainer: Trainer, values: dict[str, Any], errors: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The context of components/schema_form.html."""
    schema = trainer.schema("train")
    required, fields = schema.get("required", []), []
    for key, field in schema["properties"].items():
        choices = field.get("enum")
        fields.append(
            {
                "name": PREFIX + key,
                "key": key,
                "id": f"id_config_{key}",
                "title": _worded(field, "title") or key,
                "description": _worded(field, "description"),
                "kind": _kind(field),
                "value": values.get(key, field.get("default")),
                "default": field.get("default"),
                "minimum": field.get("minimum", field.get("exclusiveMinimum")),
                "maximum": field.get("maximum", field.get("exclusiveMaximum")),
                "choices": [(value, str(value)) for value in choices] if choices else [],
                "unit": field.get("x-unit", ""),
                "group": field.get("x-group", "advanced"),
                "required": key in required,
                "errors": errors.get(f"config.{key}", []),
                "order": field.get("x-order", 1000),
            }
        )
    return sorted(fields, key=lambda found: found["order"])


def schema_presets(trainer: Trainer) -> list[dict[str, str]]:
    korean = (get_language() or "en").startswith("ko")
    return [
        {
            "name": preset["name"],
            "title": (preset.get("title_ko") if korean else None) or preset["title"],
            "values": json.dumps(preset["values"]),
            "model": preset.get("model", ""),
        }
        for preset in trainer.schema("train").get("x-presets", [])
    ]


def _worded(field: dict[str, Any], name: str) -> str:
    korean = (get_language() or "en").startswith("ko")
    return (field.get(f"x-{name}-ko") if korean else None) or field.get(name, "")


def _types(field: dict[str, Any]) -> list[str]:
    kind = field.get("type", "string")
    return kind if isinstance(kind, list) else [kind]


def _kind(field: dict[str, Any]) -> str:
    if field.get("enum"):
        return "choice"
    return next((kind for kind in _types(field) if kind != "null"), "string")


def _typed(kind: str, text: str, field: dict[str, Any]) -> Any:
    """A value that does not fit its type stays text: the check then says what is wrong."""
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    if kind == "choice":
        return next((value for value in field["enum"] if str(value) == text), text)
    return text
