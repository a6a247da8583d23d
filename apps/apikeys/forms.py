"""Forms of the pages of API keys. Choices hold only what the person may give."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.apikeys.models import ApiKey, KeyState
from apps.apikeys.scopes import offered, reading
from apps.core.entities import PLAIN
from apps.core.identity import Actor
from apps.projects.models import Project

DAYS = [(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (180, _("180 days")), (365, _("1 year"))]
OVERLAPS = [
    (0, _("End it at once")),
    (1, _("1 hour")),
    (24, _("1 day")),
    (72, _("3 days")),
    (168, _("7 days")),
]


class LimitsForm(forms.Form):
    """What can be changed of a key afterwards too."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text=_("What uses it: “nightly import”, “line 3 camera”."),
    )
    days = forms.TypedChoiceField(label=_("Valid for"), choices=DAYS, coerce=int, initial=90)
    calls_per_minute = forms.IntegerField(
        label=_("Calls per minute, at most"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("Leave it empty for the limit that all keys have."),
    )

    def limits(self) -> dict[str, Any]:
        """The fields as the services take them."""
        fields = {name: self.cleaned_data[name] for name in ("name", "calls_per_minute")}
        if self.cleaned_data.get("days"):
            fields["expires_at"] = self._end()
        return fields

    def _end(self) -> datetime:
        return timezone.now() + timedelta(days=self.cleaned_data["days"])


class KeyChangeForm(LimitsForm):
    """The end stays as it is unless another one is chosen."""

    days = forms.TypedChoiceField(
        label=_("Valid for"),
        choices=[("", _("As it is")), *DAYS],
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Counted from now."),
    )

    @classmethod
    def of(cls, data: Any, key: ApiKey) -> "KeyChangeForm":
        return cls(data, initial={"name": key.name, "calls_per_minute": key.calls_per_minute, "days": ""})


class KeyForm(LimitsForm):
    """A new key: what it may do, and where."""

    READ, ALL, CHOSEN = "read", "all", "chosen"
    what = forms.ChoiceField(
        label=_("What it may do"),
        choices=[
            (READ, _("Read: everything that I may see")),
            (ALL, _("Everything that I may do")),
            (CHOSEN, _("Only what is chosen below")),
        ],
        initial=READ,
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(label=_("Permissions"), required=False)
    projects = forms.ModelMultipleChoiceField(
        label=_("Only in these projects"),
        queryset=Project.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Without a choice it reaches every project that you reach, later ones too."),
    )
    field_order = ("name", "what", "scopes", "projects", "days", "calls_per_minute")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered(actor)
        scopes: Any = self.fields["scopes"]
        scopes.choices = [(name, name) for name in self.offered]
        projects: Any = self.fields["projects"]
        rows = Project.objects.visible(actor).filter(organization=actor.organization_id)
        projects.queryset = rows.order_by("name")

    def chosen(self) -> set[str]:
        """The permissions that stand ticked."""
        data: Any = self.data
        return set(data.getlist("scopes")) if self.is_bound else set()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("what") == self.CHOSEN and not cleaned.get("scopes") and "scopes" not in self.errors:
            self.add_error("scopes", _("Choose at least one permission."))
        return cleaned

    def given(self) -> dict[str, Any]:
        """The fields as `key_create` takes them."""
        what, projects = self.cleaned_data["what"], self.cleaned_data["projects"]
        scopes = {self.READ: reading(self.offered), self.ALL: self.offered}.get(what, self.cleaned_data["scopes"])
        return {**self.limits(), "scopes": scopes, "projects": list(projects) or None}


class RotateForm(forms.Form):
    overlap_hours = forms.TypedChoiceField(
        label=_("The secret in use"),
        choices=[(hours, label) for hours, label in OVERLAPS],
        coerce=int,
        initial=24,
        help_text=_("How long it still works beside the new one, so that nothing stops while you exchange it."),
    )


class KeyFilterForm(forms.Form):
    """What the list is narrowed to; values that are none are left out."""

    state = forms.ChoiceField(label=_("State"), choices=[("", _("All states")), *KeyState.choices], required=False)
    owner = forms.ChoiceField(
        label=_("Whose"), choices=[("", _("All that I may see")), ("me", _("Mine"))], required=False
    )


class CatalogueForm(forms.Form):
    """Which calls the catalogue counts."""

    days = forms.TypedChoiceField(
        label=_("Time"),
        choices=[(1, _("Last day")), (7, _("Last 7 days")), (30, _("Last 30 days")), (90, _("Last 90 days"))],
        coerce=int,
        required=False,
    )
    key = forms.ModelChoiceField(
        label=_("API key"), queryset=ApiKey.objects.none(), required=False, empty_label=_("All calls")
    )

    def __init__(self, query: Any, *, actor: Actor) -> None:
        super().__init__({"days": "30", **query.dict()})
        key: Any = self.fields["key"]
        key.queryset = ApiKey.objects.visible(actor).filter(organization=actor.organization_id).order_by("name")

    def picked(self) -> tuple[int, ApiKey | None]:
        self.is_valid()
        return self.cleaned_data.get("days") or 30, self.cleaned_data.get("key")
