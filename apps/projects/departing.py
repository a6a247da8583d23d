"""What projects put into an organization's export, and how they go with it."""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal, listed
from apps.projects.contents import with_groups
from apps.projects.models import Project, ProjectMembership


def _projects(organization_id: UUID) -> QuerySet[Project]:
    return Project.objects.filter(organization_id=organization_id)


def _shown(organization_id: UUID) -> QuerySet[Project]:
    """Without those that are being deleted for good: nobody sees them any more."""
    return _projects(organization_id).filter(purged_at__isnull=True)


def _members(organization_id: UUID) -> QuerySet[ProjectMembership]:
    return ProjectMembership.objects.filter(project__organization_id=organization_id)


PROJECTS = listed(
    "projects",
    _shown,
    {
        "id": ("pk", "Id of the project."),
        "name": ("name", "Name."),
        "description": ("description", "Description."),
        "created_by": ("created_by_id", "Id of the person who made it; null: gone."),
        "created_at": ("created_at", "When it was made."),
        "archived_at": ("archived_at", "Since when it is in the archive; null: it is not."),
        "deleted_at": ("deleted_at", "Since when it is in the trash; null: it is not."),
    },
)
MEMBERS = listed(
    "project-members",
    _members,
    {
        "project_id": ("project_id", "Id of the project."),
        "user_id": ("user_id", "Id of the person."),
        "role": ("role", "owner, editor or viewer."),
        "since": ("created_at", "When they joined."),
    },
)


CONTRIBUTION = Contribution(
    parts=(PROJECTS, MEMBERS), removals=(Removal(_members), Removal(_projects, within=with_groups))
)
