from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import rule


@rule("audit.view_auditevent", on="audit.AuditEvent", needs=_("manager"))
def view_auditevent(actor: Actor) -> Q:
    """One's own events, and those of the organizations that one manages."""
    return Q(actor_id=actor.user_id) | Q(organization_id__in=actor.organizations(Role.MANAGER))
