from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.db.models import Count
from django.utils import timezone

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.resources.models import Node, ResourceGroup  # noqa: F401


class ResourceGroupQuerySet(PermittedQuerySet["ResourceGroup"]):
    def with_counts(self) -> Self:
        return self.annotate(node_count=Count("nodes"))


class NodeQuerySet(PermittedQuerySet["Node"]):
    def taking_work(self, silent_after: timedelta) -> Self:
        return self.filter(state="ready", last_seen_at__gt=timezone.now() - silent_after)
