"""Sign-up, by the portal's form and by programs: written down at once, acted on by a worker."""

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, get_emailconfirmation_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import User
from apps.accounts.services import mailbox
from apps.core import auditing, outbox
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor
from apps.core.operations import operation

TOPIC = "organizations.sign_up"


def sign_up(*, request: HttpRequest, email: str, password: str, company: str, division: str = "") -> str:
    """Has an unverified account made and the link mailed. A known address gets a mail instead, and the same answer.

    The profile's language is the one that the request is answered in. Returns the password, encoded: a browser keeps a
    mark of it (`addresses.mark`).
    """
    email = email.strip().lower()
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise Invalid(_("The input is not valid."), fields={"password": error.messages}) from error
    encoded = make_password(password)
    mailbox.ask(
        topic=TOPIC,
        request=request,
        email=email,
        password=encoded,
        company=company.strip(),
        division=division.strip(),
    )
    return encoded


@outbox.handler(TOPIC)
def deliver(payload: dict[str, str]) -> None:
    with mailbox.asked(TOPIC, payload) as asked:
        address = _account(asked)
        if address is None:
            get_adapter(asked.request).send_account_already_exists_mail(asked.email)
        else:
            get_emailconfirmation_model().create(address).send(asked.request, signup=True)


def _account(asked: mailbox.Asked) -> EmailAddress | None:
    """The address to be verified; None where there is an account already, made by another sign-up."""
    user = User.objects.filter(email=asked.email).first()
    if user is None:
        try:
            return _created(actor=asked.actor, email=asked.email, **asked.facts)
        except Conflict:
            # The same address signed up a moment ago.
            return None
    # Salt and all: made by this very sign-up, whose mail did not get through the last time.
    is_own = user.password == asked.facts["password"]
    return EmailAddress.objects.filter(user=user, verified=False).first() if is_own else None


@operation("organizations.sign_up")
def _created(*, actor: Actor, email: str, password: str, company: str, division: str) -> EmailAddress:
    """`password` is encoded already."""
    user = User(email=email, password=password, signup_company=company, signup_division=division)
    user.language = get_language() or user.language
    user.save()
    address = EmailAddress.objects.create(user=user, email=email, primary=True, verified=False)
    auditing.record(actor, actions.SIGNED_UP, user, name=Personal(user.name, user.pk))
    return address
