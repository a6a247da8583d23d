"""Writes on invitations: sending them, answering them, and their mail."""

from apps.invitations.services.answering import invitation_accept, invitation_decline, invitation_sign_up
from apps.invitations.services.bulk import invitations_create
from apps.invitations.services.sending import (
    Outcome,
    invitation_cancel,
    invitation_create,
    invitation_resend,
    invitations_expire,
)

__all__ = [
    "Outcome",
    "invitation_accept",
    "invitation_cancel",
    "invitation_create",
    "invitation_decline",
    "invitation_resend",
    "invitation_sign_up",
    "invitations_create",
    "invitations_expire",
]
