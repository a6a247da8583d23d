"""Reads that pages and the apps above need."""

from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.projects.models import Project


def projects_for_choice(actor: Actor) -> PermittedQuerySet[Project]:
    """Projects that the actor may add things to, in the chosen organization, by name."""
    rows = Project.objects.permitted(actor, "projects.contribute_project")
    return rows.filter(organization=actor.organization_id).order_by("name")
