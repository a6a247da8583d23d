"""Whom a provider's word signs in.

The account is found by what the provider calls the person, never by an address: an address joins the two once, at the
first sign-in, and only when the provider vouches for it and its domain is one that the connection answers for. An
account that belongs to another organization, or runs the platform, is not joined.
"""

from dataclasses import dataclass, replace
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.accounts import actions as account_actions
from apps.accounts.models import User
from apps.accounts.services import sessions
from apps.accounts.services.people import reader_language, user_store
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import Conflict
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.organizations.domains import domain_of
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.services import membership_add
from apps.organizations.services.barring import is_barred
from apps.singlesignon import actions
from apps.singlesignon.models import Admission, Connection
from apps.singlesignon.reasons import Refused
from apps.singlesignon.selectors import accounts_of, belongs_elsewhere, membership_of


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, as the provider says it. `is_verified`: it vouches for the address."""

    subject: str
    email: str
    is_verified: bool


def account_of(*, actor: Actor, connection: Connection, identity: Identity) -> SocialAccount:
    """The account that the identity stands for, made at its first sign-in. Raises `Refused`."""
    account = accounts_of(connection).filter(uid=identity.subject).select_related("user").first()
    if account is None or membership_of(account.user, connection) is None:
        try:
            account = _person_admit(actor=actor, connection=connection, identity=identity)
        except Conflict as error:
            # Somebody was faster with the same address, or the last seat is taken.
            raise Refused("no_seat" if error.code == "quota_exceeded" else "account_exists") from error
    _check(account.user, connection)
    return account


@operation("singlesignon.person_admit")
def _person_admit(*, actor: Actor, connection: Connection, identity: Identity) -> SocialAccount:
    """The first sign-in, or the first one after the person was taken out of the organization: then they wait for
    approval, whatever the connection says of new people."""
    organization = Organization.objects.select_for_update().get(pk=connection.organization_id)
    connection = Connection.objects.select_related("organization").get(pk=connection.pk)
    if not connection.is_enabled:
        raise Refused("switched_off")
    if organization.closure:
        raise Refused("organization_closing")
    account = accounts_of(connection).filter(uid=identity.subject).select_related("user").first()
    was_here = account is not None
    if account is None:
        user = _person_of(connection, identity)
        account = SocialAccount.objects.create(user=user, provider=connection.provider_id, uid=identity.subject)
    user = account.user
    _check(user, connection)
    waits = was_here or is_barred(organization.pk, user)
    membership = membership_of(user, connection) or _membership(connection, user, wait=waits)
    acting = replace(Actor.of(user), request_id=actor.request_id, ip=actor.ip, user_agent=actor.user_agent)
    facts = {"role": membership.role, "state": membership.state}
    auditing.record(acting, actions.JOINED, membership, name=Personal(user.name, user.pk), after=facts)
    return account


@operation("singlesignon.signed_in_note")
def signed_in_note(*, actor: Actor, connection: Connection) -> None:
    """In the log of the organization whose provider it was."""
    assert actor.user is not None
    auditing.record(
        actor,
        account_actions.SIGNED_IN,
        actor.user,
        organization_id=connection.organization_id,
        name=Personal(actor.user.name, actor.user.pk),
        params={"method": "single_sign_on", "factor_seen": bool(actor.vouched and actor.vouched.factor)},
    )


@operation("singlesignon.sign_in_refused_note")
def sign_in_refused_note(*, actor: Actor, connection: Connection, reason: str) -> None:
    """Names nobody: what a refused answer says of a person is not believed.

    A way back that no browser of ours began can be made up by anybody: it is no organization's event.
    """
    target = None if reason == "state_unknown" else connection
    auditing.record(actor, actions.REFUSED, target, name=connection.short_name, params={"reason": reason})


def _person_of(connection: Connection, identity: Identity) -> User:
    """The person behind the address, who may be joined to the connection; a new one for an unknown address."""
    email = identity.email
    try:
        validate_email(email)
    except ValidationError as error:
        raise Refused("address_missing") from error
    if not identity.is_verified:
        raise Refused("address_unverified")
    if not connection.domains.filter(name=domain_of(email)).exists():
        raise Refused("domain_foreign")
    owner = User.objects.select_for_update().filter(email=email).first()
    if owner is None:
        if EmailAddress.objects.filter(email=email, verified=True).exists():
            raise Refused("account_exists")  # a further address of somebody
        return _new_person(email)
    if belongs_elsewhere(owner, connection.organization_id) or accounts_of(connection).filter(user=owner).exists():
        raise Refused("account_exists")
    _check(owner, connection)
    _prove_address(owner)
    return owner


def _new_person(email: str) -> User:
    user = User(email=email, language=reader_language())
    user.set_unusable_password()
    user_store(user)
    return user


def _prove_address(user: User) -> None:
    """Whoever signed up with an address that was not theirs must not sit in the account of the one whose it is."""
    address, _made = EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"primary": True})
    if address.verified:
        return
    user.set_unusable_password()
    user.save(update_fields=["password", "updated_at"])
    sessions.end_everything(user)
    user.refresh_from_db()
    user.change(signup_company="", signup_division="")
    address.verified = True
    address.save(update_fields=["verified"])


def _membership(connection: Connection, user: User, *, wait: bool) -> Membership:
    if wait or connection.admission == Admission.APPROVAL:
        return Membership.objects.create(
            organization=connection.organization, user=user, role=connection.role, state=MembershipState.PENDING
        )
    system: Any = Actor.system("single sign-on")
    return membership_add(actor=system, organization=connection.organization, user=user, role=Role(connection.role))


def _check(user: User, connection: Connection) -> None:
    if not user.is_active:
        raise Refused("account_closed")
    if user.is_superuser:
        raise Refused("password_only")
    membership = membership_of(user, connection)
    if membership is not None and membership.state == MembershipState.SUSPENDED:
        raise Refused("membership_suspended")
