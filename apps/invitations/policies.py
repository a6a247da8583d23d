"""Rules on invitations: who may invite to something sees and changes what was sent for it."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import condition_if_open, rule
from apps.invitations.targets import targets


def _of_ones_own(actor: Actor) -> Q:
    """Every one of the organizations that the actor manages, and those to what the actor may invite to."""
    found = Q(organization_id__in=actor.organizations(Role.MANAGER))
    for target in targets():
        rows = target.model._default_manager.filter(condition_if_open(actor, target.permission))
        found |= Q(target_type=target.name, target_id__in=rows.values("pk"))
    return found & Q(organization_id__in=actor.organizations(Role.ENGINEER_I))


@rule("invitations.view_invitation", on="invitations.Invitation")
def view_invitation(actor: Actor) -> Q:
    return _of_ones_own(actor)


@rule("invitations.change_invitation", on="invitations.Invitation", needs=_("manager, or owner of the project"))
def change_invitation(actor: Actor) -> Q:
    """Sending it again, withdrawing it."""
    return _of_ones_own(actor)


@rule("invitations.add_invitation", on="organizations.Organization", needs=_("manager"))
def add_invitation(actor: Actor) -> Q:
    """To the organization; projects and datasets ask permissions of their own (`Target.permission`)."""
    return condition_if_open(actor, "organizations.add_membership")
