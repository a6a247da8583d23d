"""Sign-up by programs; the portal's form is allauth's with `SignupDetailsForm`."""

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, get_emailconfirmation_model
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import User
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor
from apps.core.operations import operation


def sign_up(
    *, actor: Actor, request: HttpRequest, email: str, password: str, company: str, division: str = ""
) -> None:
    """Creates an unverified account and mails the link. A known address gets a mail instead, and the same answer.

    The profile's language is the one that the request is answered in.
    """
    email = email.strip().lower()
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise Invalid(_("The input is not valid."), fields={"password": error.messages}) from error
    address = _create(actor=actor, email=email, password=password, company=company, division=division)
    if address is None:
        get_adapter(request).send_account_already_exists_mail(email)
    else:
        get_emailconfirmation_model().create(address).send(request, signup=True)


def verify_email(*, request: HttpRequest, key: str) -> None:
    """Marks the address of a mailed key as verified. Raises `Invalid` for an unknown, used or expired key."""
    confirmation = get_emailconfirmation_model().from_key(key)
    if confirmation is None or confirmation.confirm(request) is None:
        raise Invalid(_("The link is not valid any more."), code="key_invalid", hint=_("Sign in to get a new one."))


def _create(*, actor: Actor, email: str, password: str, company: str, division: str) -> EmailAddress | None:
    with transaction.atomic():
        if User.objects.filter(email=email).exists():
            # The same work as for a new account, so that the time tells nothing either.
            User(email=email).set_password(password)
            return None
        try:
            return _created(actor=actor, email=email, password=password, company=company, division=division)
        except Conflict:
            # The same address signed up a moment ago.
            return None


@operation("organizations.sign_up")
def _created(*, actor: Actor, email: str, password: str, company: str, division: str) -> EmailAddress:
    user = User.objects.create_user(
        email,
        password,
        signup_company=company.strip(),
        signup_division=division.strip(),
        language=get_language() or settings.LANGUAGE_CODE,
    )
    address = EmailAddress.objects.create(user=user, email=email, primary=True, verified=False)
    auditing.record(actor, actions.SIGNED_UP, user, name=Personal(user.name, user.pk))
    return address
