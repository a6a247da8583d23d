from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.identity import Role
from apps.core.testing import Cast, sample
from apps.invitations.models import Invitation, InvitationState
from apps.invitations.selectors import digest
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory

#: Lets a new person into an organization that is none of the two.
OPEN_LINK = "open-link-of-another-organization-0123456789"
#: Names nobody and nothing: what its holder is told of an invitation that has ended.
ENDED_LINK = "ended-link-of-the-first-organization-0123456"


class InvitationFactory(DjangoModelFactory):
    """To the organization as a guest, waiting, its mail sent."""

    class Meta:
        model = Invitation

    organization = factory.SubFactory(OrganizationFactory)
    target_type = "organization"
    target_id = factory.SelfAttribute("organization.pk")
    email = factory.Sequence(lambda number: f"invited{number}@example.com")
    role = "guest"
    invited_by = factory.SubFactory(UserFactory)
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))


def invitation_to(target: Any, kind: str, *, token: str, **fields: Any) -> Invitation:
    """An invitation whose link holds the token."""
    organization = target if kind == "organization" else target.organization
    return InvitationFactory(
        organization=organization, target_type=kind, target_id=target.pk, token_hash=digest(token), **fields
    )


@sample("invitation", "invitations", "invitations.Invitation")
def invitation(cast: Cast) -> Invitation:
    return InvitationFactory(
        organization=cast.sample("organization"),
        email=f"invited-{cast.canary}@example.com",
        invited_by=cast.admin.user,
        message=f"Come and see {cast.canary}",
    )


@sample("ended-link")
def ended_link(cast: Cast) -> str:
    """The link of an invitation that was withdrawn."""
    InvitationFactory(
        organization=cast.sample("organization"),
        email=f"withdrawn-{cast.canary}@example.com",
        token_hash=digest(ENDED_LINK),
        state=InvitationState.CANCELLED,
    )
    return ENDED_LINK


@sample("open-link")
def open_link(cast: Cast) -> str:
    """The link of an invitation to a third organization, for somebody who has no account yet."""
    inviter = MembershipFactory(role=Role.ADMIN)
    invitation_to(inviter.organization, "organization", token=OPEN_LINK, invited_by=inviter.user)
    return OPEN_LINK
