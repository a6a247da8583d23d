"""Projects as something that people are invited to."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.core.identity import Actor
from apps.invitations.targets import Target
from apps.projects import services
from apps.projects.models import Project, ProjectMembership, ProjectRole


def _check(actor: Actor, project: Any, role: str) -> None:
    """Who may add members gives every role; how many projects a guest may own is checked when one joins."""


def _join(actor: Actor, project: Any, user: User, role: str) -> ProjectMembership:
    return services.member_add(actor=actor, project=project, user=user, role=ProjectRole(role))


INVITATIONS = Target(
    name="project",
    label=_("Project"),
    model=Project,
    permission="projects.add_projectmembership",
    roles=tuple(ProjectRole.choices),
    check=_check,
    join=_join,
    address=Project.get_absolute_url,
)
