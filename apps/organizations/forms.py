"""Fields that sign-up asks beside address and password."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN


class SignupDetailsForm(forms.Form):
    """Company and division; acted on when the address has been verified."""

    company = forms.CharField(
        label=_("Company"),
        max_length=120,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    division = forms.CharField(
        label=_("Division"),
        max_length=120,
        required=False,
        validators=[PLAIN],
        help_text=_("If your company and division are here already, your request goes to their administrators."),
    )

    def signup(self, request: HttpRequest, user: Any) -> None:
        user.change(
            signup_company=self.cleaned_data["company"].strip(), signup_division=self.cleaned_data["division"].strip()
        )
