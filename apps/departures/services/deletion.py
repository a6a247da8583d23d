"""Deciding that an organization is deleted, and thinking better of it. `purging` does what was decided."""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import auditing
from apps.core.broker import hint_on_commit
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.departures import actions
from apps.departures.models import REASON_CHARACTERS, DeletionState, OrganizationDeletion
from apps.departures.services.mailing import mail_put
from apps.organizations.models import Closure, Membership, Organization


@operation("departures.deletion_schedule", permission="departures.add_organizationdeletion", on="organization")
def deletion_schedule(*, actor: Actor, organization: Organization, name: str, reason: str) -> OrganizationDeletion:
    """Closes the organization and has it deleted when the grace is over. `name` is its name, typed by the actor.

    Every administrator gets a mail; what runs is stopped. `deletion_cancel` opens it again.
    """
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if organization.closure != Closure.OPEN:
        raise Conflict(_("The deletion of this organization is scheduled already."), code="deletion_scheduled")
    reason = required_reason(reason)
    typed = _letters(name)
    if name.strip() != str(organization) and (not typed or typed != _letters(str(organization))):
        message = _("This is not the organization's name: %(name)s.") % {"name": organization}
        raise Invalid(_("The input is not valid."), code="name_differs", fields={"name": [message]})
    deletion = OrganizationDeletion.objects.create(
        organization_id=organization.pk,
        requested_by=actor.user,
        reason=reason,
        due_at=timezone.now() + timedelta(days=settings.ORGANIZATION_DELETION_GRACE_DAYS),
    )
    organization.change(closure=Closure.CLOSING)
    for person in administrators(organization):
        mail_put("deletion_scheduled", person, deletion=deletion.pk)
    hint_on_commit("departures.halt", organization.pk, queue="io")
    auditing.record(
        actor,
        actions.DELETION_SCHEDULED,
        organization,
        organization_id=organization.pk,
        params={"reason": reason, "due_at": deletion.due_at},
    )
    return deletion


@operation("departures.deletion_cancel", permission="departures.change_organizationdeletion", on="deletion")
def deletion_cancel(*, actor: Actor, deletion: OrganizationDeletion) -> OrganizationDeletion:
    """Opens the organization again; nothing is lost. `Conflict` once the grace is over and the deletion has begun."""
    organization = Organization.objects.select_for_update().filter(pk=deletion.organization_id).first()
    deletion = OrganizationDeletion.objects.select_for_update().get(pk=deletion.pk)
    if organization is None or deletion.state != DeletionState.SCHEDULED:
        raise Conflict(
            _("There is nothing to cancel: %(state)s.") % {"state": deletion.get_state_display()},
            code="deletion_not_scheduled",
            params={"state": deletion.state},
        )
    deletion.change(state=DeletionState.CANCELLED, ended_at=timezone.now())
    organization.change(closure=Closure.OPEN)
    for person in administrators(organization):
        mail_put("deletion_cancelled", person, deletion=deletion.pk)
    auditing.record(actor, actions.DELETION_CANCELLED, organization, organization_id=organization.pk)
    return deletion


def administrators(organization: Organization) -> QuerySet[User]:
    rows = Membership.objects.active().filter(organization=organization, role=Role.ADMIN)
    return User.objects.filter(pk__in=rows.values("user_id")).order_by("pk")


def _letters(name: str) -> str:
    """A name as people type it: neither case nor the point between company and division matters."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def required_reason(reason: str) -> str:
    """The reason, trimmed. Raises `Invalid` without one."""
    reason = reason.replace("\0", "").strip()
    if not 0 < len(reason) <= REASON_CHARACTERS:
        message = _("Enter a reason of at most %(count)d characters.") % {"count": REASON_CHARACTERS}
        raise Invalid(_("The input is not valid."), code="reason_missing", fields={"reason": [message]})
    return reason
