"""What the apps above keep in projects: how it goes with a project that is deleted for good, and why it cannot."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, NotFound
from apps.departures.contributions import Removal
from apps.departures.removing import Step, steps_of
from apps.invitations.models import Invitation
from apps.projects.models import Project, ProjectMembership


@dataclass(frozen=True, slots=True)
class Contents:
    """One app's. `steps` are asked for the project's id. `obstacle(project)` names what outside of the project needs
    something in it, or still works on it."""

    steps: tuple[Step, ...] = ()
    obstacle: Callable[[Project], Conflict | None] | None = None


_contents: dict[str, Contents] = {}


def register_contents(app: str, found: Contents) -> None:
    """Adds an app's; apps register from the lowest up. One of the same name is replaced."""
    _contents[app] = found


def contents_obstacle(project: Project) -> Conflict | None:
    """Why the project cannot be deleted for good; None when it can."""
    asked = (found.obstacle(project) for found in _contents.values() if found.obstacle is not None)
    return next((refusal for refusal in asked if refusal is not None), None)


def require_kept_project(project: Project) -> None:
    """Raises for something in the trash that cannot be deleted for good by itself: in a project that is being deleted it
    goes along, in an archive nothing changes."""
    if project.purged_at is not None:
        raise NotFound()
    if project.archived_at is not None:
        raise Conflict(
            _("The project is in the archive."), code="project_archived", hint=_("Take it out of the archive first.")
        )


def project_steps() -> tuple[Step, ...]:
    """All that goes with a project, the highest app's first, and the project last."""
    above = [step for found in reversed(_contents.values()) for step in found.steps]
    return (*above, *steps_of(OWN))


def with_groups(rows: QuerySet[Any]) -> None:
    """A project holds its group by a key that protects it: the projects go first."""
    groups = list(rows.values_list("group_id", flat=True))
    rows.delete()
    Group.objects.filter(pk__in=groups).delete()


OWN = (
    Removal(lambda pk: Invitation.objects.filter(target_type="project", target_id=pk)),
    Removal(lambda pk: ProjectMembership.objects.filter(project_id=pk)),
    Removal(lambda pk: Project.objects.filter(pk=pk), within=with_groups),
)
