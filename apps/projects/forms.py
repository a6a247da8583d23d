from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.identity import Actor
from apps.projects.models import Project, ProjectRole


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ["name", "description"]
        widgets = {
            "name": forms.TextInput(attrs={"autofocus": True, "maxlength": 120}),
            "description": forms.Textarea(attrs={"rows": 4}),
        }


class MemberForm(forms.Form):
    """Adds somebody of the same organization."""

    user = forms.ModelChoiceField(label=_("Person"), queryset=User.objects.none())
    role = forms.ChoiceField(label=_("Role"), choices=ProjectRole.choices, initial=ProjectRole.VIEWER)

    def __init__(self, *args: Any, actor: Actor, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.visible(actor).filter(
            memberships__organization=project.organization_id, memberships__state="active"
        )
        self.fields["user"].queryset = people.exclude(project_memberships__project=project).distinct()  # type: ignore[attr-defined]
