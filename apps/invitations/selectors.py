"""Reads: an invitation by its token, and invitations with the names of what they are for."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import Model
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor
from apps.core.policy import rule_of
from apps.invitations.models import Invitation
from apps.invitations.targets import Target, target_named, targets


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_of(token: str) -> Invitation:
    """The invitation whose newest mail holds the token. Raises `NotFound`."""
    rows = Invitation.objects.select_related("organization", "invited_by")
    found = rows.filter(token_hash=digest(token)).first()
    if found is None:
        raise NotFound(_("There is no such invitation, or a newer mail has replaced it."))
    return found


def target_object(invitation: Invitation) -> Model | None:
    """What the invitation is for; None when it is gone or in the trash."""
    target = target_named(invitation.target_type)
    rows = target.model._default_manager.filter(rule_of(target.permission).rows)
    return rows.filter(pk=invitation.target_id).first()


def target_for(actor: Actor, name: str, pk: Any) -> Model:
    """The object that the actor wants to invite to. Raises `NotFound` where it is hidden or absent."""
    rows: Any = target_named(name).model._default_manager
    try:
        return rows.get_visible(actor, pk=UUID(str(pk)))
    except ValueError as error:
        raise Invalid(_("The input is not valid."), fields={"target_id": [_("Not an id.")]}) from error


@dataclass(frozen=True, slots=True)
class Described:
    """An invitation with words for its target and role."""

    invitation: Invitation
    target: Target
    target_name: str
    role_label: str


def described(invitations: Iterable[Invitation]) -> list[Described]:
    """The invitations in their order. One query per kind of target among them."""
    rows = list(invitations)
    names: dict[UUID, str] = {}
    for target in targets():
        wanted = {row.target_id for row in rows if row.target_type == target.name}
        if wanted:
            names |= {obj.pk: str(obj) for obj in target.model._default_manager.filter(pk__in=wanted)}
    found = []
    for row in rows:
        target = target_named(row.target_type)
        found.append(Described(row, target, names.get(row.target_id, ""), target.role_label(row.role)))
    return found


#: What an answer tells of the invitation.
ANSWERED = ("state", "organization_id", "target_type", "target_id")


def info(invitation: Invitation) -> dict[str, Any]:
    """What the holder of the link is told; of an invitation that has ended, its state alone."""
    names = ("email", "organization_name", "target_type", "target_name", "role", "invited_by", "message", "expires_at")
    told: dict[str, Any] = {"state": invitation.shown_state.value, **dict.fromkeys(names)}
    if not invitation.is_open:
        return told
    shown = described([invitation])[0]
    return told | {
        "email": invitation.email,
        "organization_name": str(invitation.organization),
        "target_type": invitation.target_type,
        "target_name": shown.target_name,
        "role": invitation.role,
        "invited_by": invitation.invited_by.name if invitation.invited_by else None,
        "message": invitation.message,
        "expires_at": invitation.expires_at,
    }


def is_invited(actor: Actor, invitation: Invitation) -> bool:
    """Whether the invited address is the actor's own."""
    return EmailAddress.objects.filter(user_id=actor.user_id, email=invitation.email).exists()
