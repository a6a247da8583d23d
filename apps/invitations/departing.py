"""What invitations put into an organization's export, and what of them goes with it or with a person."""

from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.departures.contributions import Contribution, Removal, listed
from apps.invitations.models import Invitation


def _rows(organization_id: UUID) -> QuerySet[Invitation]:
    return Invitation.objects.filter(organization_id=organization_id)


INVITATIONS = listed(
    "invitations",
    _rows,
    {
        "id": ("pk", "Id of the invitation."),
        "email": ("email", "Invited address."),
        "target_type": ("target_type", "What it is to: organization, project or dataset."),
        "target_id": ("target_id", "Id of that."),
        "role": ("role", "Role or level that it brings."),
        "message": ("message", "Words of who invited."),
        "state": ("state", "pending, accepted, declined, expired or cancelled."),
        "invited_by": ("invited_by_id", "Id of the person who invited; null: gone."),
        "accepted_by": ("accepted_by_id", "Id of the person who accepted; null: nobody, or gone."),
        "created_at": ("created_at", "When it was made."),
        "expires_at": ("expires_at", "Until when it can be answered."),
        "answered_at": ("answered_at", "When it was answered; null: not yet."),
    },
)


def _erase(user: User) -> list[UUID]:
    """Invitations to any address of the person, answered or not: the address is theirs."""
    addresses = EmailAddress.objects.filter(user=user).values("email")
    rows = Invitation.objects.filter(email__in=addresses) | Invitation.objects.filter(email=user.email)
    rows |= Invitation.objects.filter(accepted_by=user)
    subjects = list(rows.values_list("pk", flat=True))
    Invitation.objects.filter(pk__in=subjects).delete()
    return subjects


CONTRIBUTION = Contribution(parts=(INVITATIONS,), removals=(Removal(_rows),), erase=_erase)
