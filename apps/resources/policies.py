from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import NOBODY, rule, through


@rule("resources.view_resourcegroup", on="resources.ResourceGroup")
def view_resourcegroup(actor: Actor) -> Q:
    """The installation's own groups, and those of one's organizations."""
    return Q(organization__isnull=True) | Q(organization_id__in=actor.organizations())


@rule("resources.change_resourcegroup", on="resources.ResourceGroup", needs=_("administrator"))
def change_resourcegroup(actor: Actor) -> Q:
    """Groups of one's own organization; the installation's belong to platform administrators."""
    return Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("resources.add_resourcegroup", on="organizations.Organization", needs=_("administrator"))
def add_resourcegroup(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.ADMIN))


@rule("resources.view_node", on="resources.Node")
def view_node(actor: Actor) -> Q:
    return through("group", actor, "resources.view_resourcegroup")


@rule("resources.change_node", on="resources.Node", needs=_("platform administrator"))
def change_node(actor: Actor) -> Q:
    """Moving and draining machines is for those who run the installation."""
    return NOBODY
