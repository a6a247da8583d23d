"""Rules on exports and deletions: an organization's administrators; everybody in it sees that it is to be deleted."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import NOBODY, rule


@rule("departures.view_organizationexport", on="departures.OrganizationExport", needs=_("administrator"))
def view_organizationexport(actor: Actor) -> Q:
    """And its download: it holds what every member has done."""
    return Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("departures.add_organizationexport", on="organizations.Organization", needs=_("administrator"), closing=True)
def add_organizationexport(actor: Actor) -> Q:
    """In the grace before a deletion too: that is when it is wanted."""
    return Q(pk__in=actor.organizations(Role.ADMIN))


@rule("departures.view_organizationdeletion", on="departures.OrganizationDeletion")
def view_organizationdeletion(actor: Actor) -> Q:
    return Q(organization_id__in=actor.organizations())


@rule("departures.add_organizationdeletion", on="organizations.Organization", needs=_("administrator"))
def add_organizationdeletion(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.ADMIN))


@rule(
    "departures.change_organizationdeletion",
    on="departures.OrganizationDeletion",
    needs=_("administrator"),
    closing=True,
)
def change_organizationdeletion(actor: Actor) -> Q:
    """Cancelling it."""
    return Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("departures.view_personerasure", on="departures.PersonErasure", needs=_("platform administrator"))
def view_personerasure(actor: Actor) -> Q:
    return NOBODY


@rule("departures.add_personerasure", on="accounts.User", needs=_("platform administrator"))
def add_personerasure(actor: Actor) -> Q:
    """Somebody else's account. One's own everybody deletes (`account_delete`)."""
    return NOBODY
