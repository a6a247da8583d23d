from datetime import timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.resources.models import Node, ResourceGroup  # noqa: F401


class ResourceGroupQuerySet(PermittedQuerySet["ResourceGroup"]):
    def usable_by(self, organization_id: UUID | None) -> Self:
        """The installation's own groups, and those of the organization."""
        return self.filter(Q(organization__isnull=True) | Q(organization_id=organization_id))

    def with_counts(self) -> Self:
        return self.annotate(node_count=Count("nodes"))


class NodeQuerySet(PermittedQuerySet["Node"]):
    def taking_work(self, silent_after: timedelta) -> Self:
        return self.filter(state="ready", last_seen_at__gt=timezone.now() - silent_after)
