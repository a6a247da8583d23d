from typing import TYPE_CHECKING

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.organizations.models import Membership, Organization  # noqa: F401


class OrganizationQuerySet(PermittedQuerySet["Organization"]):
    pass


class MembershipQuerySet(PermittedQuerySet["Membership"]):
    def active(self) -> "MembershipQuerySet":
        return self.filter(state="active", user__is_active=True)
