"""What the invited do: accept, decline, sign up by the link."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import actions as account_actions
from apps.accounts.models import User
from apps.accounts.services.people import reader_language, user_store
from apps.core import auditing, policy
from apps.core.auditing import Personal
from apps.core.errors import Conflict, DomainError, Forbidden, NotAuthenticated, NotFound
from apps.core.errors.inputs import invalid_of
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.invitations import actions
from apps.invitations.models import Invitation, InvitationState
from apps.invitations.selectors import digest, target_object
from apps.invitations.services.organizations import organization_enter
from apps.invitations.services.sending import require_inviter
from apps.invitations.targets import Target, target_named


@operation("invitations.invitation_accept")
def invitation_accept(*, actor: Actor, token: str) -> Invitation:
    """Lets the actor in, who must own the invited address, verified. Accepting twice at once joins once.

    Who is no member of the organization joins it first, as a guest where the invitation is to one project or dataset.
    Raises `Conflict` when the invitation has ended, its target is gone, or the inviter may not invite to it any more.
    """
    if actor.user is None:
        raise NotAuthenticated(_("Sign in first."))
    invitation = _locked(token)
    _check_proof(actor, invitation)
    # Two invitations of one person are accepted one after the other.
    user = User.objects.select_for_update().get(pk=actor.user.pk)
    _check_address(user, invitation)
    kind = target_named(invitation.target_type)
    target = target_object(invitation)
    if target is None:
        raise Conflict(_("What you were invited to is not there any more."), code="target_gone")
    _check_inviter(invitation, kind, target)
    _enter(kind, target, invitation, user)
    changes = invitation.change(state=InvitationState.ACCEPTED, answered_at=timezone.now(), accepted_by=user)
    shown = {"state": changes["state"]}
    facts = {"role": invitation.role, "target_type": kind.name, "target": str(target)}
    _note(actor, actions.ACCEPTED, invitation, changes=shown, params=facts)
    return invitation


@operation("invitations.invitation_decline")
def invitation_decline(*, actor: Actor, token: str) -> Invitation:
    """Says no. The link proves who answers: nobody has to sign in for that."""
    invitation = _locked(token)
    changes = invitation.change(state=InvitationState.DECLINED, answered_at=timezone.now())
    _note(actor, actions.DECLINED, invitation, changes={"state": changes["state"]})
    return invitation


@operation("invitations.invitation_sign_up")
def invitation_sign_up(*, actor: Actor, token: str, password: str, name: str = "") -> User:
    """A new account for the invited address, and the acceptance. Who holds the link has proven the address.

    Raises `Conflict` (`account_exists`) for an address that has an account: its owner signs in.
    """
    invitation = _locked(token)
    if User.objects.filter(email=invitation.email).exists():
        raise Conflict(
            _("This address has an account already."),
            code="account_exists",
            hint=_("Sign in with it and open the link again."),
        )
    user = User(email=invitation.email, language=reader_language())
    if name.strip():
        user.name = name.strip()
    _check_account(user, password)
    user.set_password(password)
    user_store(user)
    auditing.record(actor, account_actions.SIGNED_UP, user, name=Personal(user.name, user.pk))
    acting = Actor.of(user, request_id=actor.request_id, via=actor.via, ip=actor.ip, user_agent=actor.user_agent)
    invitation_accept(actor=acting, token=token)
    return user


def _locked(token: str) -> Invitation:
    locked = Invitation.objects.select_for_update(of=("self",)).select_related("organization", "invited_by")
    invitation = locked.filter(token_hash=digest(token)).first()
    if invitation is None:
        raise NotFound(_("There is no such invitation, or a newer mail has replaced it."))
    if not invitation.is_open:
        raise Conflict(
            _("This invitation has ended: %(state)s.") % {"state": invitation.state_label},
            code=f"invitation_{invitation.shown_state.value}",
            hint=_("Ask the person who invited you for a new one."),
        )
    return invitation


def _check_proof(actor: Actor, invitation: Invitation) -> None:
    """What an organization's provider says of a person opens that organization, and joins no other."""
    if actor.vouched is not None and actor.vouched.organization_id != invitation.organization_id:
        raise Forbidden(
            _("This invitation is to another organization than the one that signed you in."),
            code="own_proof_needed",
            hint=_("Sign out, sign in with your password, and open the link again."),
        )


def _check_address(user: User, invitation: Invitation) -> None:
    found = EmailAddress.objects.filter(user=user, email=invitation.email)
    if not found.exists():
        raise Forbidden(
            _("This invitation is for another address than yours."),
            code="wrong_address",
            hint=_("Sign in with the address that the invitation was sent to."),
        )
    if not found.filter(verified=True).exists():
        raise Forbidden(
            _("Your address is not verified yet."),
            code="address_unverified",
            hint=_("Open the link in the mail that you got when you signed up."),
        )


def _check_inviter(invitation: Invitation, kind: Target, target: Model) -> None:
    """An invitation is worth what its sender may do now, not what they could do when they sent it."""
    inviter = invitation.invited_by
    try:
        if inviter is None or not inviter.is_active:
            raise NotFound()
        acting = Actor.of(inviter, organization_id=invitation.organization_id)
        policy.require(acting, kind.permission, target)
        require_inviter(acting, invitation.organization_id)
        kind.check(acting, target, invitation.role)
    except DomainError as error:
        raise Conflict(
            _("The person who invited you may not do so any more."),
            code="inviter_lost_right",
            hint=_("Ask an administrator of the organization for a new invitation."),
        ) from error


def _enter(kind: Target, target: Model, invitation: Invitation, user: User) -> None:
    """The portal itself lets the person in: what the inviter may give was checked, and is in the log as the sender's."""
    system = Actor.system("invitations")
    if kind.name != "organization":
        _unless_in(organization_enter, system, invitation.organization, user, Role.GUEST.value)
    _unless_in(kind.join, system, target, user, invitation.role)


def _unless_in(join: Any, actor: Actor, target: Any, user: User, role: str) -> None:
    """Who is in already keeps the role held now."""
    try:
        join(actor, target, user, role)
    except Conflict as error:
        if error.code != "already_member":
            raise


def _check_account(user: User, password: str) -> None:
    try:
        validate_password(password, user)
        user.clean_fields(exclude=["password", "email"])
    except ValidationError as error:
        raise invalid_of(error, "password") from error


def _note(actor: Actor, action: str, invitation: Invitation, **facts: Any) -> None:
    auditing.record(actor, action, invitation, name=Personal(invitation.email, invitation.pk), **facts)
