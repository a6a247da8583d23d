"""Inviting, inviting again, withdrawing, and what beat notes as expired."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import auditing, outbox
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Forbidden, Invalid, TooManyRequests
from apps.core.errors.inputs import invalid_of
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.invitations import actions
from apps.invitations.models import Invitation, InvitationState
from apps.invitations.targets import Target, target_of
from apps.organizations.models import Membership, Organization

MAIL_TOPIC = "invitations.mail"
MAX_DAYS = 30
#: An organization's invitations that wait for an answer.
MAX_PENDING = 1000
#: Between two mails of one invitation.
PAUSE = timedelta(minutes=1)
#: An organization's mails within a day, to one address and to all. Who withdraws an invitation may not send for ever.
MOST_TO_ONE, MOST_A_DAY = 20, 2000
DAY = timedelta(days=1)
EXPIRED_PER_PASS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one address: `joined` at once (a member of the organization), or `invited`."""

    email: str
    invitation: Invitation | None

    @property
    def outcome(self) -> str:
        return "invited" if self.invitation else "joined"


@operation("invitations.invitation_create", permission=lambda target: target_of(target).permission, on="target")
def invitation_create(
    *, actor: Actor, target: Model, email: str, role: str, message: str = "", days: int | None = None
) -> Outcome:
    """Invites an address to an organization, a project or a dataset, valid for `days` (1 to 30).

    A member of the organization joins at once. Every other address, registered or not, takes the same way. Raises the
    policy's errors, `Forbidden` for a role that the actor may not give, `Conflict` for an address that is in or waits,
    `TooManyRequests` beyond the mails of a day.
    """
    kind = target_of(target)
    require_inviter(actor, kind.organization_id_of(target))
    kind.require_role(role)
    kind.check(actor, target, role)
    email = email.strip().lower()
    organization_id = kind.organization_id_of(target)
    member = _member(organization_id, email)
    if member is not None:
        _join_member(actor, kind, target, member, role)
        return Outcome(email, None)
    # Invitations of one organization are counted one after the other.
    Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    if Invitation.objects.pending().filter(organization_id=organization_id).count() >= MAX_PENDING:
        raise Conflict(
            _("%(limit)s invitations wait for an answer.") % {"limit": MAX_PENDING},
            code="too_many_pending",
            hint=_("Withdraw some, or wait until they are answered."),
        )
    _check_mails(organization_id, email)
    invitation = Invitation(
        organization_id=organization_id,
        target_type=kind.name,
        target_id=target.pk,
        email=email,
        role=role,
        message=message.strip(),
        invited_by=actor.user,
        expires_at=timezone.now() + timedelta(days=_checked_days(days)),
    )
    _save(invitation)
    _send(invitation)
    _note(actor, actions.SENT, invitation, after={"role": role, "target_type": kind.name, "target": str(target)})
    return Outcome(email, invitation)


@operation("invitations.invitation_resend", permission="invitations.change_invitation", on="invitation")
def invitation_resend(*, actor: Actor, invitation: Invitation) -> Invitation:
    """Sends a new mail with a new link, valid as long as a new invitation; the old link is dead at once."""
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.state not in (InvitationState.PENDING, InvitationState.EXPIRED):
        raise _ended(invitation)
    now = timezone.now()
    if invitation.sent_at and invitation.sent_at + PAUSE > now:
        raise TooManyRequests(_("A mail was sent a moment ago."), hint=_("Wait a minute before the next one."))
    _check_mails(invitation.organization_id, invitation.email)
    changes = invitation.change(
        state=InvitationState.PENDING,
        token_hash=None,
        sendings=invitation.sendings + 1,
        expires_at=now + timedelta(days=_checked_days(None)),
    )
    _send(invitation)
    shown = {name: changes[name] for name in ("state", "sendings") if name in changes}
    _note(actor, actions.RESENT, invitation, changes=shown)
    return invitation


@operation("invitations.invitation_cancel", permission="invitations.change_invitation", on="invitation")
def invitation_cancel(*, actor: Actor, invitation: Invitation) -> Invitation:
    """Withdraws an invitation that waits; its link is dead at once."""
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.state != InvitationState.PENDING:
        raise _ended(invitation)
    changes = invitation.change(state=InvitationState.CANCELLED)
    _note(actor, actions.CANCELLED, invitation, changes=changes)
    return invitation


def expire_overdue() -> int:
    """Notes what nobody answered in time, one event for each organization; returns how many. For beat."""
    rows = Invitation.objects.overdue(timezone.now()).order_by("organization_id")
    organizations = Organization.objects.filter(pk__in=rows.values("organization_id"))
    return sum(
        invitations_expire(actor=Actor.system("invitations"), organization=organization)
        for organization in organizations
    )


@operation("invitations.invitations_expire", permission="organizations.change_organization", on="organization")
def invitations_expire(*, actor: Actor, organization: Organization) -> int:
    """Closes the organization's overdue invitations, at most a thousand; their number."""
    now = timezone.now()
    locked = Invitation.objects.select_for_update(skip_locked=True).overdue(now).filter(organization=organization)
    found = list(locked.order_by("pk")[:EXPIRED_PER_PASS])
    for invitation in found:
        invitation.change(state=InvitationState.EXPIRED)
    after = {"state": InvitationState.EXPIRED.value, "invitations": [str(invitation.pk) for invitation in found]}
    auditing.record(actor, actions.EXPIRED, organization, organization_id=organization.pk, after=after)
    return len(found)


def require_inviter(actor: Actor, organization_id: Any) -> None:
    """Guests bring nobody in; asked before anything about the address is looked up."""
    if actor.is_platform or organization_id in actor.organizations(Role.ENGINEER_I):
        return
    raise Forbidden(
        _("Guests cannot invite people."),
        code="guest_cannot_invite",
        hint=_("Needed: %(role)s.") % {"role": Role.ENGINEER_I.label},
    )


def _member(organization_id: Any, email: str) -> User | None:
    """The active member of the organization whom a verified address belongs to."""
    proven = EmailAddress.objects.filter(email=email, verified=True)
    found = Membership.objects.active().filter(organization_id=organization_id, user_id__in=proven.values("user_id"))
    membership = found.select_related("user").first()
    return membership.user if membership else None


def _join_member(actor: Actor, kind: Target, target: Model, user: User, role: str) -> None:
    if kind.name == "organization":
        raise Conflict(_("This person is a member already."), code="already_member")
    kind.join(actor, target, user, role)
    auditing.record(
        actor,
        actions.JOINED_AT_ONCE,
        target,
        organization_id=kind.organization_id_of(target),
        name=Personal(user.name, user.pk),
        after={"role": role},
    )


def _checked_days(days: int | None) -> int:
    days = settings.INVITATION_LIFETIME_DAYS if days is None else days
    if not 1 <= days <= MAX_DAYS:
        message = _("From 1 to %(limit)s days.") % {"limit": MAX_DAYS}
        raise Invalid(_("The input is not valid."), fields={"expires_in_days": [message]})
    return days


def _check_mails(organization_id: Any, email: str) -> None:
    since = timezone.now() - DAY
    rows = Invitation.objects.filter(Q(created_at__gte=since) | Q(sent_at__gte=since), organization_id=organization_id)
    sent = rows.aggregate(all=Sum("sendings", default=0), one=Sum("sendings", default=0, filter=Q(email=email)))
    if sent["one"] >= MOST_TO_ONE or sent["all"] >= MOST_A_DAY:
        raise TooManyRequests(_("Too many invitations were sent within a day."), hint=_("Try again tomorrow."))


def _save(invitation: Invitation) -> None:
    try:
        invitation.clean_fields(exclude={field.name for field in Invitation._meta.fields} - {"email", "message"})
    except ValidationError as error:
        raise invalid_of(error) from error
    same = Invitation.objects.pending().filter(target_id=invitation.target_id, target_type=invitation.target_type)
    if same.filter(email=invitation.email).exists():
        raise Conflict(
            _("This address has an invitation that waits for an answer."),
            code="already_invited",
            hint=_("Send that one again, or withdraw it."),
        )
    invitation.save()


def _send(invitation: Invitation) -> None:
    # The message names the invitation; the token is made when the mail leaves and is stored nowhere but in it.
    payload = {"invitation": str(invitation.pk), "sending": invitation.sendings}
    outbox.put(MAIL_TOPIC, payload, group=f"invitation:{invitation.pk}")


def _ended(invitation: Invitation) -> Conflict:
    return Conflict(
        _("This invitation has ended: %(state)s.") % {"state": invitation.state_label},
        code=f"invitation_{invitation.shown_state.value}",
        hint=_("Send a new invitation."),
    )


def _note(actor: Actor, action: str, invitation: Invitation, **facts: Any) -> None:
    # The address belongs to nobody known yet: its key is the invitation's own.
    auditing.record(actor, action, invitation, name=Personal(invitation.email, invitation.pk), **facts)
