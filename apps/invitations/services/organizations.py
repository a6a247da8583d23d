"""The organization as something that people are invited to."""

from typing import Any
from uuid import UUID

from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.core.identity import Actor, Role
from apps.invitations.models import Invitation
from apps.invitations.targets import Target
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.services import membership_add, membership_approve
from apps.organizations.services.memberships import require_grantable


def _check(actor: Actor, organization: Organization, role: str) -> None:
    require_grantable(actor, organization, Role(role), _("You cannot invite people as %(role)s."))


def organization_enter(actor: Actor, organization: Organization, user: User, role: str) -> Membership:
    """Makes the person an active member; who asked to join is let in. Members keep the role that they have."""
    # Ahead of the membership, as everywhere: who locks them the other way round waits for ever.
    Organization.objects.select_for_update().get(pk=organization.pk)
    found = Membership.objects.select_for_update().filter(organization=organization, user=user).first()
    if found is None:
        return membership_add(actor=actor, organization=organization, user=user, role=Role(role))
    if found.state == MembershipState.PENDING:
        return membership_approve(actor=actor, membership=found, role=Role(role))
    if found.state == MembershipState.SUSPENDED:
        raise Conflict(
            _("Your membership in this organization is suspended."),
            code="membership_suspended",
            hint=_("Ask an administrator or manager of the organization."),
        )
    raise Conflict(_("This person is a member already."), code="already_member")


def seats_claimed(organization_id: UUID) -> int:
    """Addresses that are invited, to whatever it is, and whose people have no membership yet."""
    rows = Invitation.objects.pending().filter(organization_id=organization_id, expires_at__gt=timezone.now())
    there = Membership.objects.filter(organization_id=organization_id).values("user__email")
    return (
        rows.annotate(address=Lower("email"))
        .exclude(address__in=there)
        .order_by()
        .values("address")
        .distinct()
        .count()
    )


def _address(organization: Any) -> str:
    return reverse("dashboard")


ORGANIZATION = Target(
    name="organization",
    label=gettext_lazy("Organization"),
    model=Organization,
    permission="organizations.add_membership",
    roles=tuple(Role.choices),
    check=_check,
    join=organization_enter,
    address=_address,
)
