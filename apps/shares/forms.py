"""The form of the Share panel. Choices hold only what the person may see."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.identity import Actor
from apps.core.portal import PersonChoiceField, RowChoiceField
from apps.projects.models import Project
from apps.shares.kinds import kind_of
from apps.shares.models import Level


class LevelForm(forms.Form):
    level = forms.ChoiceField(label=_("May"), choices=Level.choices, initial=Level.VIEW)


class ShareForm(LevelForm):
    """A person or a project of the object's organization, and a level."""

    user = PersonChoiceField(label=_("Person"), queryset=User.objects.none(), required=False, empty_label=_("Nobody"))
    project = RowChoiceField(
        label=_("Or a project"),
        queryset=Project.objects.none(),
        required=False,
        empty_label=_("No project"),
        search=("name",),
    )
    field_order = ("user", "project", "level")

    def __init__(self, *args: Any, actor: Actor, obj: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.visible(actor).filter(
            memberships__organization=obj.organization_id, memberships__state="active"
        )
        user: Any = self.fields["user"]
        user.queryset = people.distinct().order_by("name")
        project: Any = self.fields["project"]
        others = Project.objects.visible(actor).filter(organization_id=obj.organization_id)
        project.queryset = others.exclude(pk=kind_of(obj).project_of(obj).pk).order_by("name")
