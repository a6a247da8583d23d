"""What an actor may do, by organization and project, as integrations ask it. A question per permission, not per row."""

from typing import Any
from uuid import UUID

from apps.core import policy
from apps.core.identity import Actor
from apps.organizations.models import Organization
from apps.projects.models import Project, ProjectMembership

MOST_PROJECTS = 200


def permissions_of(
    actor: Actor, *, organization_id: UUID | None = None, project_id: UUID | None = None
) -> dict[str, Any]:
    """Roles and permissions, of one organization or project where one is named.

    A key is told of the organization it is bound to, and of the projects that it may see; permissions are those left by
    its scopes.
    """
    organizations = Organization.objects.visible(actor.without_scopes()).order_by("pk")
    if organization_id is not None:
        organizations = organizations.filter(pk=organization_id)
    projects = Project.objects.visible(actor).order_by("-pk")
    if organization_id is not None:
        projects = projects.filter(organization_id=organization_id)
    if project_id is not None:
        projects = projects.filter(pk=project_id)
        organizations = organizations.filter(pk__in=projects.values("organization_id"))
    rows = list(projects[: MOST_PROJECTS + 1])
    shown, groups = rows[:MOST_PROJECTS], list(organizations[:MOST_PROJECTS])
    own = ProjectMembership.objects.filter(user=actor.user, project__in=shown)
    roles = dict(own.values_list("project_id", "role"))
    on_organizations, on_projects = _held(actor, Organization, groups), _held(actor, Project, shown)
    return {
        "via": actor.via,
        "api_key_id": actor.key_id,
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
        "organizations": [
            {
                "organization_id": row.pk,
                "name": str(row),
                "role": actor.memberships.get(row.pk),
                "permissions": on_organizations[row.pk],
            }
            for row in groups
        ],
        "projects": [
            {
                "project_id": row.pk,
                "organization_id": row.organization_id,
                "name": row.name,
                "role": roles.get(row.pk),
                "permissions": on_projects[row.pk],
            }
            for row in shown
        ],
        "truncated": len(rows) > MOST_PROJECTS,
    }


def _held(actor: Actor, model: Any, rows: list[Any]) -> dict[UUID, list[str]]:
    """Id → the permissions that the actor holds on the row."""
    ids = [row.pk for row in rows]
    found: dict[UUID, list[str]] = {pk: [] for pk in ids}
    for name in policy.names():
        if policy.rule_of(name).on == model._meta.label and ids:
            for pk in model.objects.permitted(actor, name).filter(pk__in=ids).values_list("pk", flat=True):
                found[pk].append(name)
    return found
