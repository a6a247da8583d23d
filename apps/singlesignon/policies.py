"""Who may set up single sign-on: the organization's administrators, and nobody else sees how it is done."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import rule


@rule("singlesignon.view_connection", on="singlesignon.Connection", needs=_("administrator"))
def view_connection(actor: Actor) -> Q:
    return Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("singlesignon.add_connection", on="organizations.Organization", needs=_("administrator"))
def add_connection(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.ADMIN))


@rule("singlesignon.change_connection", on="singlesignon.Connection", needs=_("administrator"))
def change_connection(actor: Actor) -> Q:
    """Trying it too: it sends the client's secret to the provider."""
    return Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("singlesignon.delete_connection", on="singlesignon.Connection", needs=_("administrator"))
def delete_connection(actor: Actor) -> Q:
    return Q(organization_id__in=actor.organizations(Role.ADMIN))
