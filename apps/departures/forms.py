"""Forms of leaving; the services check the rest."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.portal import PersonChoiceField
from apps.departures.models import REASON_CHARACTERS
from apps.departures.selectors import Leaving
from apps.organizations.models import Membership


class DeletionForm(forms.Form):
    """The organization's name, typed, and why it goes."""

    name = forms.CharField(label=_("Name of the organization"), max_length=300)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Every member reads it while the deletion can still be cancelled."),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = escape(_("Type it to confirm: %(name)s") % {"name": name})
        self.fields["name"].widget.attrs["autocomplete"] = "off"


class PurgeForm(forms.Form):
    """The name of what is deleted for good, as a sign that this one is meant."""

    name = forms.CharField(
        label=_("Name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = escape(_("Type it to confirm: %(name)s") % {"name": name})


class AccountDeletionForm(forms.Form):
    """The own address, typed, the password, and a successor for each organization in which one is needed."""

    email = forms.EmailField(label=_("Your e-mail address"), max_length=254, help_text=_("Type it to confirm."))
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, leavings: list[Leaving], has_password: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._organizations: dict[str, UUID] = {}
        if not has_password:
            del self.fields["password"]
        for leaving in (found for found in leavings if found.belongings and found.chooses_heir):
            self._add_successor(leaving)

    def _add_successor(self, leaving: Leaving) -> None:
        organization = leaving.organization
        members = Membership.objects.active().filter(organization=organization)
        people = User.objects.filter(pk__in=members.values("user_id")).exclude(pk=leaving.membership.user_id)
        name = f"heir_{organization.pk}"
        self._organizations[name] = organization.pk
        self.fields[name] = PersonChoiceField(
            label=_("Successor in %(organization)s") % {"organization": organization},
            queryset=people.order_by("name"),
            empty_label=_("Choose a person"),
            help_text=escape(_("Takes over: %(names)s") % {"names": ", ".join(leaving.belongings)}),
        )

    @property
    def heirs(self) -> dict[UUID, UUID]:
        """Organization → person."""
        return {pk: self.cleaned_data[name].pk for name, pk in self._organizations.items()}
