from typing import TYPE_CHECKING, Self

from django.db.models import Count

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.projects.models import Project, ProjectMembership  # noqa: F401


class ProjectQuerySet(PermittedQuerySet["Project"]):
    def archived(self, wanted: bool) -> Self:
        return self.filter(archived_at__isnull=not wanted)

    def with_counts(self) -> Self:
        return self.annotate(member_count=Count("memberships"))

    def search(self, text: str) -> Self:
        return self.filter(name__icontains=text) if text else self


class ProjectMembershipQuerySet(PermittedQuerySet["ProjectMembership"]):
    def owners(self) -> Self:
        return self.filter(role="owner")
