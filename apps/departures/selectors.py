"""Reads for pages: the deletion that an organization waits for, and what stands in the way of a person who leaves."""

from dataclasses import dataclass
from uuid import UUID

from apps.accounts.models import User
from apps.core.identity import Actor, Role
from apps.departures.models import OrganizationDeletion
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.selectors import active_memberships
from apps.organizations.services.handing_over import belongings_of, chooses_heir


def scheduled_deletion(actor: Actor, organization_id: UUID | None) -> OrganizationDeletion | None:
    """The one whose grace runs, if the actor may know of it."""
    if organization_id is None:
        return None
    rows = OrganizationDeletion.objects.visible(actor).scheduled().select_related("requested_by")
    return rows.filter(organization_id=organization_id).first()


@dataclass(frozen=True, slots=True)
class Leaving:
    """One organization of a person who leaves: `is_last_admin` stands in the way, `belongings` go to somebody, whom the
    person names if they see the members (`chooses_heir`)."""

    membership: Membership
    is_last_admin: bool
    belongings: list[str]
    chooses_heir: bool

    @property
    def organization(self) -> Organization:
        return self.membership.organization


def leavings_of(user: User) -> list[Leaving]:
    """Every organization of the person, in one order everywhere."""
    rows = Membership.objects.filter(user=user).select_related("organization").order_by("organization_id")
    roles = {pk: standing.role for pk, standing in active_memberships(user.pk).items()}
    return [Leaving(row, _is_last_admin(row), belongings_of(row), chooses_heir(roles, row)) for row in rows]


def _is_last_admin(membership: Membership) -> bool:
    if membership.role != Role.ADMIN or membership.state != MembershipState.ACTIVE:
        return False
    others = Membership.objects.active().filter(organization_id=membership.organization_id, role=Role.ADMIN)
    return not others.exclude(pk=membership.pk).exists()
