from apps.audit.models import AuditCheck, AuditEvent, AuditHead
from apps.audit.services import check_request, check_run, head_sign, seal_all
from apps.core.testing import Cast, sample
from apps.organizations import services
from apps.projects.models import Project
from apps.projects.services import project_change


@sample("audit.AuditEvent")
def event(cast: Cast) -> AuditEvent:
    """An event of the first organization, written by a real operation."""
    organization = cast.sample("organization")
    services.organization_change(actor=cast.admin.actor, organization=organization, division=f"Division {cast.canary}")
    return AuditEvent.objects.filter(organization_id=organization.pk).latest("id")


@sample("audit.AuditHead", "audit/heads")
def head(cast: Cast) -> AuditHead:
    """A signed head of the first organization's chain."""
    chain = cast.sample("audit.AuditEvent").organization_id
    seal_all(chain)
    found = head_sign(chain=chain, always=True)
    assert found is not None
    return found


@sample("audit.AuditCheck", "audit-checks")
def check(cast: Cast) -> AuditCheck:
    """A verification that the first organization's administrator asked for, and that has ended."""
    found = check_request(actor=cast.admin.actor, chain=cast.sample("organization").pk)
    check_run(found.pk)
    return AuditCheck.objects.get(pk=found.pk)


@sample("audit-logs/entity", "audit/history")
def entity_type(cast: Cast) -> str:
    return "projects.project"


@sample("audit-logs/entity/+", "audit-logs/project", "audit/history/+")
def followed(cast: Cast) -> Project:
    """The project of the cast, of which there is a history."""
    project = cast.sample("project")
    project_change(actor=cast.owner.actor, project=project, description=f"Described {cast.canary}")
    return project
