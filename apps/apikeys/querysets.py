from typing import TYPE_CHECKING, Any, Self

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from apps.apikeys.latency import STEPS
from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.apikeys.models import ApiKey, EndpointUsage  # noqa: F401


class ApiKeyQuerySet(PermittedQuerySet["ApiKey"]):
    def with_parts(self) -> Self:
        """With what a list names of each: two queries more, whatever its length."""
        return self.select_related("owner", "organization", "revoked_by").prefetch_related("secrets", "projects")

    def live(self) -> Self:
        return self.filter(revoked_at__isnull=True, expires_at__gt=timezone.now())

    def search(self, text: str) -> Self:
        """By name or by the part of the secret that is shown."""
        if not text:
            return self
        named = self.model._default_manager.filter(secrets__shown=text).values("pk")
        return self.filter(Q(name__icontains=text) | Q(pk__in=named))

    def in_state(self, state: str) -> Self:
        """`active`, `expired` or `revoked`; anything else leaves the rows as they are."""
        match state:
            case "active":
                return self.live()
            case "expired":
                return self.filter(revoked_at__isnull=True, expires_at__lte=timezone.now())
            case "revoked":
                return self.filter(revoked_at__isnull=False)
        return self


class EndpointUsageQuerySet(PermittedQuerySet["EndpointUsage"]):
    def summed_by(self, column: str) -> QuerySet[Any, dict[str, Any]]:
        """A row for each value of the column, however many hours it sums: `calls_sum` and the like, and `step_<n>` of
        the histogram."""
        counts = {f"{name}_sum": Sum(name) for name in ("calls", "client_errors", "server_errors")}
        steps = {f"step_{number}": Sum(f"histogram__{number}") for number in range(STEPS)}
        return self.order_by().values(column).annotate(**counts, **steps)
