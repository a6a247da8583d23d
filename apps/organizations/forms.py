"""Forms of sign-up and of the organization's pages."""

from typing import Any

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter
from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.entities import PLAIN
from apps.core.identity import Actor, Role
from apps.core.portal import PersonChoiceField
from apps.organizations.models import JOIN_ROLES, JoinPolicy, Membership, Organization
from apps.organizations.services import addresses, passwords
from apps.organizations.services.sign_up import sign_up


class SignupForm(account_forms.SignupForm):
    """allauth's, with company and division. Who has the address is looked up by a worker, never by the request."""

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
        help_text=_("If your company and division are here already, they decide who joins."),
    )

    def validate_unique_email(self, value: str) -> str:
        return value

    def try_save(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        found = self.cleaned_data
        encoded = sign_up(
            request=request,
            email=found["email"],
            password=found["password1"],
            company=found["company"],
            division=found["division"],
        )
        addresses.mark(request, encoded)
        return None, get_adapter(request).respond_email_verification_sent(request, None)


class AskForm(forms.Form):
    """An organization to found, or to ask for."""

    company = forms.CharField(
        label=_("Company"),
        max_length=120,
        validators=[PLAIN],
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True}),
    )
    division = forms.CharField(
        label=_("Division"),
        max_length=120,
        required=False,
        validators=[PLAIN],
        help_text=_("Where nobody has this company and division yet, you found it and become its administrator."),
    )


class ForgottenForm(account_forms.ResetPasswordForm):
    """allauth's, without a look at who has the address."""

    def clean_email(self) -> str:
        return str(get_adapter().clean_email(self.cleaned_data["email"]))

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email = str(self.cleaned_data["email"])
        passwords.forgot(request=request, email=email)
        return email


class ProofForm(forms.Form):
    """What is asked for beside the mailed link: nothing, the account's password, or a new one."""

    password = forms.CharField(
        label=_("Your password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    new_password = forms.CharField(
        label=_("New password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, asks: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {name: field for name, field in self.fields.items() if name == asks}


class DomainsField(forms.Field):
    """Domains in one line, between commas or spaces."""

    def to_python(self, value: Any) -> list[str]:
        return value if isinstance(value, list) else (value or "").replace(",", " ").replace(";", " ").split()

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class OrganizationForm(forms.Form):
    """Name and joining; the services check the rest."""

    company = forms.CharField(label=_("Company"), max_length=120, validators=[PLAIN])
    division = forms.CharField(label=_("Division"), max_length=120, required=False, validators=[PLAIN])
    join_policy = forms.ChoiceField(
        label=_("Joining"),
        choices=JoinPolicy.choices,
        help_text=_("What happens when somebody signs up with this company and division."),
    )
    join_domains = DomainsField(
        label=_("Domains"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "example.com", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Who joins at once: people with a verified address at exactly these domains. An administrator of the "
            "organization needs a verified address at each; public mail services are refused."
        ),
    )
    join_role = forms.ChoiceField(
        label=_("Role on joining"),
        choices=[(role.value, role.label) for role in JOIN_ROLES],
        help_text=_("What people who join at once may do."),
    )
    require_mfa = forms.BooleanField(
        label=_("Require a second factor"),
        required=False,
        help_text=_("Members without one cannot open anything in the organization until they set one up."),
    )
    allows_public = forms.BooleanField(
        label=_("Allow public datasets"),
        required=False,
        help_text=_(
            "Managers may then make versions of datasets public: everybody who is signed in to this portal reads and "
            "downloads them, in every organization. Switched off, nothing is public any more, at once; switched on "
            "again, what was public is public again."
        ),
    )

    @classmethod
    def of(cls, data: Any, organization: Organization) -> "OrganizationForm":
        """The form for an organization that exists."""
        return cls(data, initial={name: getattr(organization, name) for name in cls.base_fields})


class RoleForm(forms.Form):
    role = forms.TypedChoiceField(label=_("Role"), choices=Role.choices, coerce=Role)


class HeirForm(forms.Form):
    """Who takes over when a member goes: somebody whom the person who chooses sees as a member."""

    heir = PersonChoiceField(
        label=_("Successor"), queryset=User.objects.none(), required=False, empty_label=_("Choose a person")
    )

    def __init__(self, *args: Any, actor: Actor, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = Membership.objects.visible(actor).active().filter(organization_id=membership.organization_id)
        field: Any = self.fields["heir"]
        people = User.objects.filter(pk__in=members.values("user_id")).exclude(pk=membership.user_id)
        field.queryset = people.order_by("name")
