"""Reads that pages and the apps above need."""

from collections.abc import Callable

from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.projects.models import Project


def projects_for_choice(actor: Actor) -> PermittedQuerySet[Project]:
    """Projects that the actor may add things to, in the chosen organization, by name."""
    rows = Project.objects.permitted(actor, "projects.contribute_project")
    return rows.filter(organization=actor.organization_id).order_by("name")


_work: list[Callable[[Project], bool]] = []


def register_work(is_going_on: Callable[[Project], bool]) -> None:
    """`is_going_on(project)`: whether something of the app's runs or waits to run in the project."""
    _work.append(is_going_on)


def going_on(project: Project) -> bool:
    """Whether any app works in the project now."""
    return any(is_going_on(project) for is_going_on in _work)
