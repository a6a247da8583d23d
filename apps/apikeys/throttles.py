"""Limits of the REST API: so many requests a minute for each key, person and organization.

Counted after the request has proven who sends it; what is open to everybody has limits of its own.
"""

from typing import Any

from django.conf import settings
from rest_framework.throttling import BaseThrottle

from apps.apikeys import counters
from apps.core.api import PREFIX
from apps.organizations.services.quotas import calls_per_minute


class ActorThrottle(BaseThrottle):
    """Refuses with 429 when one of the three has no place left in the last minute, and says when to come again."""

    allowance: counters.Allowance | None = None

    def allow_request(self, request: Any, view: Any) -> bool:
        if not request.path.startswith(PREFIX):
            return True
        actor, limits = request.actor, settings.RATE_LIMITS
        if actor.user_id is None:
            return True
        subjects = [("user", str(actor.user_id), limits["user"])]
        if actor.key_id is not None:
            own = min(filter(None, (actor.calls_per_minute, limits["key"])))
            subjects.insert(0, ("key", str(actor.key_id), own))
        if actor.organization_id is not None:
            limit = calls_per_minute(actor.organization_calls_per_minute)
            subjects.append(("organization", str(actor.organization_id), limit))
        self.allowance = counters.take(subjects)
        if self.allowance is None:
            return True
        # For the headers of the answer (`ApiTrafficMiddleware`).
        request._request.rate_limits = (self.allowance, subjects)
        return self.allowance.wait == 0

    def wait(self) -> float | None:
        return self.allowance.wait if self.allowance else None
