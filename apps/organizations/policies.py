"""Rules on organizations and memberships, and the condition by which people see their colleagues."""

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import NOBODY, rule
from apps.organizations.models import Membership


def _own(actor: Actor) -> Q:
    """One's own memberships; to a key, or a sign-in by an organization's provider, the one there."""
    own, bound = Q(user_id=actor.user_id), actor.bound_organization_id
    return own if bound is None else own & Q(organization_id=bound)


def colleagues(actor: Actor) -> Q:
    """People of the organizations in which the actor is more than a guest."""
    shared = Membership.objects.filter(
        user_id=OuterRef("pk"), organization_id__in=actor.organizations(Role.ENGINEER_I)
    )
    return Q(Exists(shared))


@rule("organizations.view_organization", on="organizations.Organization")
def view_organization(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations())


@rule("organizations.change_organization", on="organizations.Organization", needs=_("administrator"))
def change_organization(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.ADMIN))


@rule("organizations.view_membership", on="organizations.Membership")
def view_membership(actor: Actor) -> Q:
    """One's own, and everybody's where one is more than a guest."""
    return _own(actor) | Q(organization_id__in=actor.organizations(Role.ENGINEER_I))


@rule("organizations.change_membership", on="organizations.Membership", needs=_("manager"))
def change_membership(actor: Actor) -> Q:
    return Q(organization_id__in=actor.organizations(Role.MANAGER))


@rule("organizations.delete_membership", on="organizations.Membership", needs=_("manager"))
def delete_membership(actor: Actor) -> Q:
    """One's own: everybody may leave, at any time."""
    return _own(actor) | Q(organization_id__in=actor.organizations(Role.MANAGER))


@rule("organizations.change_quota", on="organizations.Organization", needs=_("platform administrator"))
def change_quota(actor: Actor) -> Q:
    """What an organization may use is said by those who run the platform."""
    return NOBODY


@rule("organizations.add_membership", on="organizations.Organization", needs=_("manager"))
def add_membership(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations(Role.MANAGER))
