"""Forms of the project pages. Choices hold only what the person may see."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.entities import PLAIN
from apps.core.identity import Actor
from apps.core.portal import PersonChoiceField
from apps.projects.models import Project, ProjectRole


class ProjectForm(forms.Form):
    """Name and description; the services check the rest."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What the project is about, for those who join later."),
    )

    @classmethod
    def of(cls, data: Any, project: Project) -> "ProjectForm":
        """The form for a project that exists; who opens its settings need not have come for the name."""
        form = cls(data, initial={"name": project.name, "description": project.description})
        form.fields["name"].widget.attrs.pop("autofocus")
        return form


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=ProjectRole.choices, initial=ProjectRole.VIEWER)


def people_of(actor: Actor, project: Project) -> Any:
    """Active members of the project's organization, by name."""
    people = User.objects.visible(actor).filter(
        memberships__organization=project.organization_id, memberships__state="active"
    )
    return people.distinct().order_by("name")


class TransferForm(forms.Form):
    """To whom the project is handed over."""

    user = PersonChoiceField(label=_("New owner"), queryset=User.objects.none(), empty_label=_("Choose a person"))

    def __init__(self, *args: Any, actor: Actor, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["user"]
        owners = project.memberships.owners().values("user_id")
        field.queryset = people_of(actor, project).exclude(pk__in=owners)


class MemberForm(RoleForm):
    """Adds somebody of the same organization."""

    user = PersonChoiceField(label=_("Person"), queryset=User.objects.none(), empty_label=_("Choose a person"))
    field_order = ("user", "role")

    def __init__(self, *args: Any, actor: Actor, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["user"]
        field.queryset = people_of(actor, project).exclude(project_memberships__project=project)
