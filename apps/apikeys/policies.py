"""Rules on keys and their usage. A key stands for its owner: nobody else can change it or have a new secret of it."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.apikeys.models import ApiKey
from apps.core.identity import Actor, Role
from apps.core.policy import rule


def _own(actor: Actor) -> Q:
    return Q(owner=actor.user_id, organization_id__in=actor.organizations())


@rule("apikeys.view_apikey", on="apikeys.ApiKey")
def view_apikey(actor: Actor) -> Q:
    """One's own, and all of the organizations that one manages. Never a secret."""
    return _own(actor) | Q(organization_id__in=actor.organizations(Role.MANAGER))


@rule("apikeys.add_apikey", on="organizations.Organization", needs=Role.ENGINEER_I.label)
def add_apikey(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.ENGINEER_I))


@rule("apikeys.change_apikey", on="apikeys.ApiKey", needs=_("owner of the key"))
def change_apikey(actor: Actor) -> Q:
    """Name, limits, and a new secret."""
    return _own(actor)


@rule("apikeys.revoke_apikey", on="apikeys.ApiKey", needs=_("owner of the key, or administrator"), closing=True)
def revoke_apikey(actor: Actor) -> Q:
    return _own(actor) | Q(organization_id__in=actor.organizations(Role.ADMIN))


@rule("apikeys.view_endpointusage", on="apikeys.EndpointUsage", needs=_("manager"))
def view_endpointusage(actor: Actor) -> Q:
    """Of one's own keys, and everything in the organizations that one manages."""
    own = ApiKey.objects.filter(_own(actor))
    return Q(key__in=own) | Q(organization_id__in=actor.organizations(Role.MANAGER))
