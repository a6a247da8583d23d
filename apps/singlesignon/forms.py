"""Forms of the sign-in by an organization and of its settings."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Role
from apps.singlesignon.models import GRANTED_ROLES, SHORT_NAME, Admission, Connection

SEPARATORS = re.compile(r"[\s,;]+")


class BeginForm(forms.Form):
    """Who wants to sign in, or by which organization."""

    who = forms.CharField(
        label=_("E-mail address or short name of the organization"),
        max_length=254,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username", "autocapitalize": "none"}),
    )


class ConnectionForm(forms.Form):
    """All of a connection. The secret is asked for and never shown."""

    short_name = forms.CharField(
        label=_("Short name"),
        max_length=40,
        validators=[SHORT_NAME],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text=_("What people type to sign in, if not their address: small letters, digits, hyphens."),
    )
    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=500,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
        help_text=_("The provider's address. The one of its discovery document will do too."),
    )
    client_id = forms.CharField(
        label=_("Client id"), max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    client_secret = forms.CharField(
        label=_("Client secret"),
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Kept encrypted, and shown to nobody again."),
    )
    domains = forms.CharField(
        label=_("Domains of e-mail addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "autocapitalize": "none"}),
        help_text=_("Whose people come from this provider, such as example.com. You need a verified address of each."),
    )
    role = forms.TypedChoiceField(label=_("Role of new people"), choices=GRANTED_ROLES, coerce=Role)
    admission = forms.ChoiceField(label=_("New people"), choices=Admission.choices)
    is_enabled = forms.BooleanField(
        label=_("Switched on"), required=False, help_text=_("Switching it off ends the sign-ins made by it.")
    )

    @classmethod
    def of(cls, data: Any, connection: Connection | None) -> "ConnectionForm":
        if connection is None:
            return cls(data, initial={"role": Role.ENGINEER_I, "admission": Admission.APPROVAL})
        names = ("short_name", "issuer", "client_id", "role", "admission", "is_enabled")
        initial = {name: getattr(connection, name) for name in names}
        form = cls(data, initial=initial | {"domains": "\n".join(row.name for row in connection.domains.all())})
        form.fields["client_secret"].required = False
        form.fields["client_secret"].help_text = _("Leave it empty to keep the one that is stored.")
        return form

    def given(self) -> dict[str, Any]:
        """The fields as the services take them."""
        found = dict(self.cleaned_data)
        found["domains"] = [name for name in SEPARATORS.split(found["domains"]) if name]
        return found
