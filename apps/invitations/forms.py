"""Forms of the invitation pages. Choices hold only what the person may give."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.errors import Forbidden
from apps.core.identity import Actor
from apps.invitations.models import MESSAGE, MESSAGE_CHARACTERS
from apps.invitations.services.bulk import MAX_BYTES
from apps.invitations.targets import Target


def roles_for(actor: Actor, kind: Target, target: Any) -> list[tuple[str, Any]]:
    """The roles that the actor may give."""
    found = []
    for value, label in kind.roles:
        try:
            kind.check(actor, target, value)
        except Forbidden:
            continue
        found.append((value, label))
    return found


class InvitingForm(forms.Form):
    """What every way of inviting asks: role and message."""

    role = forms.ChoiceField(label=_("Role"))
    message = forms.CharField(
        label=_("Message"),
        max_length=MESSAGE_CHARACTERS,
        required=False,
        validators=[MESSAGE],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Shown in the mail, below what the invitation is for."),
    )

    def __init__(self, *args: Any, actor: Actor, kind: Target, target: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = roles_for(actor, kind, target)
        field.initial = field.choices[-2 if len(field.choices) > 2 else -1][0] if field.choices else None


class InviteForm(InvitingForm):
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    field_order = ("email", "role", "message")


class AddressFile(forms.FileField):
    """A CSV file with addresses, which is cleaned to its text."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.FileInput(attrs={"accept": ".csv,text/csv"}))
        help_text = _("Columns: email and, if you like, role. At most 500 lines.")
        super().__init__(label=_("CSV file"), help_text=help_text, **options)

    def clean(self, data: Any, initial: Any = None) -> Any:
        file: UploadedFile = super().clean(data, initial)
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 256 KiB."))
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8 text.")) from None


class BulkForm(InvitingForm):
    file = AddressFile()
    field_order = ("file", "role", "message")


class SignUpForm(forms.Form):
    """A new account for the invited address, which the link has proven."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        required=False,
        validators=User._meta.get_field("name").validators,
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
        help_text=_("As others see you. Left empty, you get a friendly one."),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
