"""Mails about exports and deletions, sent from the outbox."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import translation

from apps.accounts.models import User
from apps.core import outbox
from apps.core.portal.addresses import portal_url
from apps.core.portal.mails import mail_of
from apps.departures.models import DeletionState, OrganizationDeletion, OrganizationExport
from apps.organizations.models import Organization

TOPIC = "departures.mail"


def mail_put(kind: str, user: User, **ids: UUID) -> None:
    """Part of operations: a mail that leaves when they have committed. `kind` names its templates."""
    outbox.put(TOPIC, {"kind": kind, "user": str(user.pk), **{name: str(pk) for name, pk in ids.items()}})


@outbox.handler(TOPIC)
def deliver(payload: dict[str, Any]) -> None:
    """Sends the mail, in the language of who gets it; nothing about what is over or gone by now."""
    user = User.objects.active().filter(pk=payload["user"]).first()
    context = _context(payload)
    if user is None or context is None:
        return
    with translation.override(user.language):
        context |= {"person": user, "url": f"{portal_url()}{reverse('departures:overview')}"}
        mail_of(f"departures/email/{payload['kind']}", context, to=user.email).send()


def _context(payload: dict[str, Any]) -> dict[str, Any] | None:
    """None: there is nothing to be said any more."""
    if "export" in payload:
        export = OrganizationExport.objects.select_related("organization").filter(pk=payload["export"]).first()
        return {"export": export, "organization": export.organization} if export and export.is_there else None
    rows = OrganizationDeletion.objects.select_related("requested_by").filter(pk=payload["deletion"])
    deletion = rows.first()
    wanted = DeletionState.SCHEDULED if payload["kind"] == "deletion_scheduled" else DeletionState.CANCELLED
    if deletion is None or deletion.state != wanted:
        return None
    organization = Organization.objects.filter(pk=deletion.organization_id).first()
    return {"deletion": deletion, "organization": organization} if organization else None
