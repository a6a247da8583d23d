import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.testing import Cast, sample
from apps.resources.models import Node, NodeState, ResourceGroup
from tests.factories.organizations import OrganizationFactory


class ResourceGroupFactory(DjangoModelFactory):
    """A group of one organization; `organization=None` makes one that everybody may use."""

    class Meta:
        model = ResourceGroup

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda number: f"Group {number}")


class NodeFactory(DjangoModelFactory):
    """A machine that is ready and has just reported."""

    class Meta:
        model = Node

    group = factory.SubFactory(ResourceGroupFactory)
    name = factory.Sequence(lambda number: f"node-{number}")
    state = NodeState.READY
    cpus = 2
    memory_mb = 4096
    last_seen_at = factory.LazyFunction(timezone.now)


@sample("resource-group", "resource-groups", "resources.ResourceGroup")
def resource_group(cast: Cast) -> ResourceGroup:
    return ResourceGroupFactory(organization=cast.sample("organization"), name=f"Group {cast.canary}")


@sample("node", "nodes", "resource-groups/nodes", "resources.Node")
def node(cast: Cast) -> Node:
    return NodeFactory(group=cast.sample("resource-group"), name=f"node-{cast.canary}")
