from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import OuterRef, Subquery

from apps.core.policy import PermittedQuerySet
from apps.organizations.models import Organization

if TYPE_CHECKING:
    from apps.departures.models import OrganizationDeletion, OrganizationExport, PersonErasure  # noqa: F401


class OrganizationExportQuerySet(PermittedQuerySet["OrganizationExport"]):
    def live(self) -> Self:
        """Waiting for a worker, or being written."""
        return self.filter(state__in=["waiting", "running"])

    def overdue(self, now: datetime) -> Self:
        """Kept long enough."""
        return self.filter(state="ready", expires_at__lte=now)


class OrganizationDeletionQuerySet(PermittedQuerySet["OrganizationDeletion"]):
    def scheduled(self) -> Self:
        return self.filter(state="scheduled")

    def with_names(self) -> Self:
        """With `company` and `division` of the organization, None once it is gone."""
        named = Organization.objects.filter(pk=OuterRef("organization_id"))
        return self.annotate(company=Subquery(named.values("company")), division=Subquery(named.values("division")))

    def to_be_done(self, now: datetime) -> Self:
        """Whose grace is over, and what a pass has begun and not finished."""
        return self.filter(state="ending") | self.filter(state="scheduled", due_at__lte=now)


class PersonErasureQuerySet(PermittedQuerySet["PersonErasure"]):
    pass
