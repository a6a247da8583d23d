from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import rule, through


@rule("audit.view_auditevent", on="audit.AuditEvent", needs=_("manager"))
def view_auditevent(actor: Actor) -> Q:
    """One's own events (by a key, or an organization's provider, those there), and those of the organizations that one
    manages."""
    own = Q(actor_id=actor.user_id)
    if actor.bound_organization_id is not None:
        own &= Q(organization_id=actor.bound_organization_id)
    return own | Q(organization_id__in=actor.organizations(Role.MANAGER))


@rule("audit.follow_organization", on="organizations.Organization", needs=_("manager"), closing=True)
def follow_organization(actor: Actor) -> Q:
    """Everything that happened in the organization, its export, and the verification of its chain."""
    return Q(pk__in=actor.organizations(Role.MANAGER))


@rule("audit.follow_project", on="projects.Project", needs=_("owner of the project"), closing=True)
def follow_project(actor: Actor) -> Q:
    """Everything that happened in the project, what is private to other members included."""
    return through("pk", actor, "projects.change_project")


@rule("audit.view_audithead", on="audit.AuditHead", needs=_("manager"))
def view_audithead(actor: Actor) -> Q:
    return Q(chain__in=actor.organizations(Role.MANAGER))


@rule("audit.view_auditcheck", on="audit.AuditCheck", needs=_("manager"))
def view_auditcheck(actor: Actor) -> Q:
    return Q(chain__in=actor.organizations(Role.MANAGER))
