"""What every REST view asks before it looks at anything."""

from typing import Any

from rest_framework.permissions import BasePermission

from apps.core.identity import refuse_without_factor


class SecondFactorSetUp(BasePermission):
    """Tells members of an organization that demands a second factor why it is closed to them.

    Closed it is without this: such memberships are none. Views of one's own account do not ask.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        refuse_without_factor(request.actor, request.actor.organization_id)
        return True
