from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.portal.views import SEARCH_CHARACTERS
from apps.datasets import foreign
from apps.datasets.formats.classes import NAME_CHARACTERS
from apps.datasets.models import (
    LICENCES,
    OWN_VISIBILITIES,
    Dataset,
    ImageDefect,
    People,
    PictureSize,
    PublishMode,
    Split,
    SplitMethod,
    Task,
    Visibility,
)
from apps.datasets.selectors.filtering import ImageFilter
from apps.datasets.services.datasets import CHANGEABLE
from apps.projects.models import Project

#: Classes that a page offers to rename.
RENAMED_BY_HAND = 50
HELP = {
    "description": _("Markdown: headings, lists, tables, links. Pictures are shown as links."),
    "tags": _("Words with commas between them, by which the dataset is found."),
    "licence": _("What others may do with the data: an SPDX identifier such as CC-BY-4.0, or your own words."),
    "people": _("Faces, voices, number plates: whatever leads to a person."),
    "consent": _("Who agreed to what, until when, and where the agreements are kept; or why none is needed."),
}


def visibility_choices(dataset: Dataset | None) -> list[tuple[str, Any]]:
    """What is public is said by an act of its own; a dataset that is public already may be left so, or closed."""
    is_public = dataset is not None and dataset.visibility == Visibility.PUBLIC
    shown = [*OWN_VISIBILITIES, *([Visibility.PUBLIC] if is_public else [])]
    return [(found.value, found.label) for found in shown]


class DatasetForm(forms.ModelForm):
    class Meta:
        model = Dataset
        fields = ["project", *CHANGEABLE]
        widgets = {
            "name": forms.TextInput(attrs={"autofocus": True, "maxlength": 120}),
            "description": forms.Textarea(attrs={"rows": 6}),
            "licence": forms.TextInput(attrs={"maxlength": 200, "list": "licences", "autocomplete": "off"}),
            "consent": forms.Textarea(attrs={"rows": 3}),
            "visibility": forms.RadioSelect,
        }

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.permitted(actor, "datasets.add_dataset")
        self.fields["project"].queryset = projects.filter(organization=actor.organization_id).order_by("name")  # type: ignore[attr-defined]
        self.fields["project"].empty_label = _("Choose a project")  # type: ignore[attr-defined]
        self.fields["visibility"].choices = visibility_choices(self.instance)  # type: ignore[attr-defined]
        self.fields["people"].choices = [("", _("Nobody has said")), *People.choices]  # type: ignore[attr-defined]
        for name, text in HELP.items():
            self.fields[name].help_text = text
        self.fields["task"].required = False
        self.fields["task"].help_text = _("What the labels are for. It can be changed until files are published.")
        if not self.instance._state.adding:
            del self.fields["project"]
        elif (
            not self.initial.get("project")
            and len(few := projects.filter(organization=actor.organization_id)[:2]) == 1
        ):
            self.initial["project"] = few[0].pk
        if self.instance.revision_no:
            del self.fields["task"]

    @property
    def further(self) -> tuple[str, ...]:
        """Fields that a new dataset does without, so that the page begins with what it needs."""
        return tuple(HELP) if self.instance._state.adding else ()

    @property
    def opens_further(self) -> bool:
        """Whether something stands in them already."""
        return any(self[name].errors or self[name].value() for name in self.further)

    @property
    def licences(self) -> tuple[str, ...]:
        """Suggestions; the field takes own words too."""
        return LICENCES

    def clean_task(self) -> str:
        return str(self.cleaned_data["task"] or self.instance.task)

    def validate_constraints(self) -> None:
        """Uniqueness is the service's business: it knows the organization."""


class DatasetListForm(forms.Form):
    """What the list is narrowed to; values that are none are left out."""

    task = forms.ChoiceField(label=_("Task"), choices=[("", _("All tasks")), *Task.choices], required=False)
    visibility = forms.ChoiceField(
        label=_("Visibility"), choices=[("", _("Whoever sees them")), *Visibility.choices], required=False
    )
    tag = forms.ChoiceField(label=_("Tag"), required=False)

    def __init__(self, *args: Any, tags: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tag"].choices = [("", _("All tags")), *((tag, tag) for tag in tags)]  # type: ignore[attr-defined]
        if not tags:
            del self.fields["tag"]

    @property
    def wanted(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class PublishForm(forms.Form):
    """Publishing an upload whose classes have these names; each may get another one, or none. Very many: over REST."""

    mode = forms.ChoiceField(
        label=_("Files that are in the dataset already"),
        choices=PublishMode.choices,
        initial=PublishMode.ADD,
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)

    def __init__(self, *args: Any, classes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = {f"class-{number}": name for number, name in enumerate(classes[:RENAMED_BY_HAND])}
        for field, name in self._names.items():
            self.fields[field] = forms.CharField(label=name, initial=name, max_length=NAME_CHARACTERS, required=False)

    @property
    def class_fields(self) -> list[Any]:
        return [self[field] for field in self._names]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `upload_publish` takes. A class without a name is left out, one that was not sent stays."""
        given = self.cleaned_data
        classes = {name: given[field] or None for field, name in self._names.items() if field in self.data}
        return {"mode": given["mode"], "note": given["note"], "classes": classes}


class FormatForm(forms.Form):
    """Which format the set is in. Those that the portal does not tell by itself can be chosen where they are read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        off = foreign.reason_off()
        self.is_off = bool(off)
        others = [(name, title) for name, title in foreign.CHOICES if name != foreign.LIBRARY]
        choices = [
            ("", _("Told by the portal: YOLO, COCO, Pascal VOC, ImageFolder, DICE")),
            (_("Read by datumaro"), [(foreign.LIBRARY, _("One of these: told by datumaro")), *others]),
        ]
        # Behind the fields of the forms made from this one.
        self.fields["format"] = forms.ChoiceField(
            label=_("Format"), choices=choices, required=False, disabled=self.is_off, initial="", help_text=off
        )


class AddressForm(FormatForm):
    """A file at a web address."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=forms.URLInput(attrs={"autofocus": True, "placeholder": "https://…/shapes.zip", "autocomplete": "off"}),
        help_text=_(
            "Of a ZIP, TAR or TAR.GZ, or of a single picture. It begins with https:// and opens without signing in; "
            "what stands behind a question mark is kept secret."
        ),
    )


class BucketForm(FormatForm):
    """Objects of an S3 bucket, and keys that are for this import alone."""

    bucket = forms.RegexField(
        r"^[A-Za-z0-9._-]{1,255}$",
        label=_("Bucket"),
        max_length=255,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
    )
    prefix = forms.CharField(  # type: ignore[assignment]
        label=_("Prefix"),
        max_length=1024,
        required=False,
        help_text=_("A folder of the bucket, or one object. The whole bucket when it is empty."),
    )
    endpoint = forms.CharField(
        label=_("Endpoint"),
        max_length=500,
        required=False,
        widget=forms.URLInput(attrs={"placeholder": "https://…", "autocomplete": "off"}),
        help_text=_("Of MinIO, R2, Google Cloud Storage or another S3 store. Amazon's when it is empty."),
    )
    region = forms.RegexField(
        r"^[A-Za-z0-9-]{1,60}$", label=_("Region"), max_length=60, required=False, initial="us-east-1"
    )
    access_key = forms.CharField(
        label=_("Access key"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("None for a public bucket. Keys are kept encrypted until the files are fetched, then forgotten."),
    )
    secret_key = forms.CharField(
        label=_("Secret key"),
        max_length=400,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    token = forms.CharField(
        label=_("Session token"),
        max_length=4000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Only for keys that are temporary."),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if bool(given.get("access_key")) != bool(given.get("secret_key")):
            self.add_error("secret_key", _("Give both keys, or none for a public bucket."))
        return given

    @property
    def arguments(self) -> dict[str, str]:
        """What `from_bucket` takes."""
        return {name: value for name, value in self.cleaned_data.items() if value and name != "format"}


class SplitForm(forms.Form):
    """A split by rule, by class, by group, or the splits that the uploads named. By hand it is set over REST."""

    method = forms.ChoiceField(
        label=_("Method"),
        choices=[(choice.value, choice.label) for choice in SplitMethod if choice != SplitMethod.MANUAL],
        initial=SplitMethod.AUTO,
        widget=forms.RadioSelect,
    )
    train = forms.FloatField(label=_("Training"), min_value=0, max_value=1, initial=0.8, required=False)
    val = forms.FloatField(label=_("Validation"), min_value=0, max_value=1, initial=0.2, required=False)
    test = forms.FloatField(label=_("Test"), min_value=0, max_value=1, initial=0.0, required=False)
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        required=False,
        help_text=_("The same seed gives the same split, also after images were added."),
    )
    pattern = forms.CharField(
        label=_("What names a group"),
        max_length=200,
        required=False,
        help_text=_(
            "For the grouped split: a regular expression such as <code>video[0-9]+</code>; what it finds in the path "
            "names the group. The folder does when this is empty."
        ),
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """What `split_set` takes."""
        given = self.cleaned_data
        if given["method"] == SplitMethod.UPLOADED:
            return {"method": given["method"]}
        ratios = {split: given[split] or 0.0 for split in ("train", "val", "test")}
        arguments = {"method": given["method"], "seed": given["seed"] or 0, "ratios": ratios}
        return arguments | ({"pattern": given["pattern"]} if given["method"] == SplitMethod.GROUPED else {})


class PictureFilterForm(forms.Form):
    """What images are narrowed to by what they show; a value that is none counts as no filter."""

    q = forms.CharField(label=_("Beginning of the name or path"), required=False)
    klass = forms.TypedChoiceField(label=_("Class"), coerce=int, empty_value=None, required=False)
    split = forms.ChoiceField(
        label=_("Split"), choices=[("", _("All splits")), *Split.choices, ("none", _("No split"))], required=False
    )
    labelled = forms.ChoiceField(
        label=_("Labels"),
        choices=[("", _("Labelled or not")), ("yes", _("Labelled")), ("no", _("Not labelled"))],
        required=False,
    )
    size = forms.ChoiceField(label=_("Size"), choices=[("", _("All sizes")), *PictureSize.choices], required=False)

    def __init__(self, *args: Any, classes: Sequence[Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # `class` is a word of the language.
        self.fields = {"class" if name == "klass" else name: field for name, field in self.fields.items()}
        named = ((str(found["id"]), found["name"]) for found in classes)
        self.fields["class"].choices = [("", _("All classes")), *named]  # type: ignore[attr-defined]

    @property
    def wanted(self) -> ImageFilter:
        self.is_valid()
        given = self.cleaned_data
        split = given.get("split") or None
        return ImageFilter(
            class_id=given.get("class"),
            split="" if split == "none" else split,
            labelled={"yes": True, "no": False}.get(given.get("labelled", "")),
            size=given.get("size", ""),
            search=given.get("q", "")[:SEARCH_CHARACTERS],
        )

    @property
    def choices(self) -> list[Any]:
        """The fields that are chosen from."""
        return [field for field in self if field.name != "q"]


class ImageFilterForm(PictureFilterForm):
    """The same, and by what the dataset's own people know: who brought them, when, and what is wrong with them."""

    defect = forms.ChoiceField(
        label=_("Defects"), choices=[("", _("With defects or without")), *ImageDefect.choices], required=False
    )
    tag = forms.ChoiceField(label=_("Tag"), required=False)
    uploader = forms.ChoiceField(label=_("Uploaded by"), required=False)
    since = forms.DateField(label=_("Added from"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Added until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(
        self,
        *args: Any,
        classes: Sequence[Mapping[str, Any]],
        tags: Sequence[str],
        uploaders: Sequence[tuple[Any, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, classes=classes, **kwargs)
        choices = {
            "tag": [("", _("All tags")), *((name, name) for name in tags)],
            "uploader": [("", _("Everybody")), *((str(pk), name) for pk, name in uploaders)],
        }
        for name, values in choices.items():
            self.fields[name].choices = values  # type: ignore[attr-defined]

    @property
    def wanted(self) -> ImageFilter:
        shown, given = super().wanted, self.cleaned_data
        return replace(
            shown,
            defect=given.get("defect", ""),
            tag=given.get("tag", ""),
            uploader_id=UUID(given["uploader"]) if given.get("uploader") else None,
            since=given.get("since"),
            until=given.get("until"),
        )

    @property
    def has_more(self) -> bool:
        """Whether one is set that stands behind “More filters”."""
        return any(self.cleaned_data.get(name) for name in ("size", "defect", "tag", "uploader", "since", "until"))

    @property
    def rest_query(self) -> str:
        """The same for the list of images over REST."""
        wanted = {field: getattr(self.wanted, field) for field in ImageFilter.__slots__}
        given = {field: value for field, value in wanted.items() if value not in (None, "")}
        return urlencode(given | ({"split": "none"} if wanted["split"] == "" else {}))

    @property
    def chosen(self) -> list[tuple[str, Any, str]]:
        """Name, label and value in words of each filter that is set."""
        found = []
        for name, field in self.fields.items():
            value = self.cleaned_data.get(name)
            if value in (None, ""):
                continue
            choices: Any = field.choices if isinstance(field, forms.ChoiceField) else ()
            shown = dict(choices).get(str(value), value)
            shown = date_format(shown, "SHORT_DATE_FORMAT") if isinstance(shown, date) else shown
            found.append((name, field.label, str(shown)))
        return found


class SnapshotForm(forms.Form):
    tag = forms.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        label=_("Tag"),
        max_length=60,
        required=False,
        help_text=_("v1, v2, … when left empty."),
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)


class ReleaseForm(forms.Form):
    """Which version becomes public, and the dataset's name as a sign that this one is meant."""

    version = forms.ChoiceField(label=_("Version"))
    name = forms.CharField(
        label=_("Name of the dataset"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Enter it to confirm that everything named here becomes public."),
    )

    def __init__(self, *args: Any, names: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = names  # type: ignore[attr-defined]
