"""An organization's own resource groups and machines go with it; those of the installation stay."""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal
from apps.resources.models import Node, NodeSample, ResourceGroup


def _samples(organization_id: UUID) -> QuerySet[NodeSample]:
    return NodeSample.objects.filter(node__group__organization_id=organization_id)


def _nodes(organization_id: UUID) -> QuerySet[Node]:
    return Node.objects.filter(group__organization_id=organization_id)


def _groups(organization_id: UUID) -> QuerySet[ResourceGroup]:
    return ResourceGroup.objects.filter(organization_id=organization_id)


CONTRIBUTION = Contribution(removals=(Removal(_samples), Removal(_nodes), Removal(_groups)))
