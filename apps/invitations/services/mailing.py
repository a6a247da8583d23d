"""The invitation's mail. Delivered from the outbox; the link's token is made here and is stored as a digest only."""

import secrets
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from django.utils import timezone, translation

from apps.accounts.models import User
from apps.core import outbox
from apps.core.operations import ingest
from apps.core.portal.addresses import portal_url
from apps.core.portal.mails import mail_of
from apps.invitations.models import Invitation
from apps.invitations.selectors import described, digest
from apps.invitations.services.sending import MAIL_TOPIC


@outbox.handler(MAIL_TOPIC)
def deliver(payload: dict[str, Any]) -> None:
    """Sends the mail that the message stands for; nothing when a newer one replaced it or the invitation has ended.

    Delivered again after a failure it makes a new token: the link of the last mail is the one that works.
    """
    token = secrets.token_urlsafe(32)
    invitation = _arm(invitation_id=payload["invitation"], sending=payload["sending"], token_hash=digest(token))
    if invitation is None:
        return
    with translation.override(_language(invitation)):
        _mail(invitation, token).send()
    _note_sent(invitation_id=payload["invitation"], sending=payload["sending"])


@ingest("invitations.mail_arm")
def _arm(*, invitation_id: str, sending: int, token_hash: str) -> Invitation | None:
    """Stores the digest of the token that is about to leave; None when nothing is to be sent any more."""
    locked = Invitation.objects.select_for_update(of=("self",)).select_related("organization", "invited_by")
    invitation = locked.filter(pk=invitation_id).first()
    if invitation is None or not invitation.is_open or invitation.sendings != sending:
        return None
    invitation.token_hash = token_hash
    invitation.save(update_fields=["token_hash", "updated_at"])
    return invitation


@ingest("invitations.mail_note_sent")
def _note_sent(*, invitation_id: str, sending: int) -> None:
    Invitation.objects.filter(pk=invitation_id, sendings=sending).update(sent_at=timezone.now())


def _language(invitation: Invitation) -> str:
    """The invitee's, where the address is known here; else the inviter's."""
    invitee = User.objects.active().filter(email=invitation.email).first()
    person = invitee or invitation.invited_by
    return person.language if person else settings.LANGUAGE_CODE


def _mail(invitation: Invitation, token: str) -> EmailMultiAlternatives:
    shown = described([invitation])[0]
    path = reverse("invitations:invite", args=[token])
    person = invitation.invited_by
    context = {
        "invitation": invitation,
        "shown": shown,
        "url": f"{portal_url()}{path}",
        # A name may have been made up by the portal; the address is what the invitee knows.
        "inviter": f"{person} ({person.email})" if person else "",
    }
    return mail_of("invitations/email/invitation", context, to=invitation.email)
