"""Erasure: keys are destroyed, events stay, and their chain stays sound."""

from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import actions
from apps.audit.models import AuditKey
from apps.core import auditing
from apps.core.errors import Forbidden
from apps.core.identity import Actor
from apps.core.operations import operation


@operation("audit.person_forget")
def person_forget(*, actor: Actor, person_id: UUID) -> None:
    """Makes every value about a person unreadable, now and in whatever is still written about them.

    Part of deleting an account. For the platform alone; nobody erases themselves while they act.
    """
    _check(actor)
    if actor.user_id == person_id:
        raise Forbidden(_("Another administrator has to do this."))
    _destroy(person_id)
    target = auditing.Mention("accounts.user", str(person_id), "")
    auditing.record(actor, actions.PERSON_ERASED, None, about=[target])


@operation("audit.organization_forget")
def organization_forget(*, actor: Actor, organization_id: UUID) -> None:
    """Makes the names and values in an organization's events unreadable. The last step of deleting it."""
    _check(actor)
    _destroy(organization_id)
    target = auditing.Mention("organizations.organization", str(organization_id), "")
    auditing.record(actor, actions.ORGANIZATION_ERASED, None, about=[target])


def _destroy(subject: UUID) -> None:
    AuditKey.objects.update_or_create(subject_id=subject, defaults={"wrapped": b""})


def _check(actor: Actor) -> None:
    if not actor.is_platform:
        raise Forbidden(_("Only platform administrators can erase what the log holds."))
