from apps.audit.models import AuditEvent
from apps.core.testing import Cast, sample
from apps.organizations import services


@sample("audit.AuditEvent")
def event(cast: Cast) -> AuditEvent:
    """An event of the first organization, written by a real operation."""
    organization = cast.sample("organization")
    services.organization_change(actor=cast.admin.actor, organization=organization, division=f"Division {cast.canary}")
    return AuditEvent.objects.filter(organization_id=organization.pk).latest("id")
