"""Reads that pages and the apps above need."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _

from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.organizations.selectors import MOST_NAMED, managing
from apps.projects.models import Project, ProjectMembership


def projects_for_choice(actor: Actor) -> PermittedQuerySet[Project]:
    """Projects that the actor may add things to, in the chosen organization, by name."""
    rows = Project.objects.permitted(actor, "projects.contribute_project")
    return rows.filter(organization=actor.organization_id).order_by("name")


def answering(actor: Actor, project: Project) -> Iterable[Any]:
    """People whom the actor may see and who answer for the project: its owners, then who manages the organization."""
    owners = ProjectMembership.objects.visible(actor).owners().filter(project=project)
    for membership in owners.select_related("user").order_by("pk")[:MOST_NAMED]:
        yield membership.user
    yield from managing(actor, project.organization_id)


def obstacle(project: Project) -> str:
    """Why nobody may change what the project holds."""
    return _("The project is in the archive. An owner takes it out first.") if project.archived_at else ""


_work: list[Callable[[Project], bool]] = []


def register_work(is_going_on: Callable[[Project], bool]) -> None:
    """`is_going_on(project)`: whether something of the app's runs or waits to run in the project."""
    _work.append(is_going_on)


def going_on(project: Project) -> bool:
    """Whether any app works in the project now."""
    return any(is_going_on(project) for is_going_on in _work)
