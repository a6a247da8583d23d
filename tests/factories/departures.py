import io
from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.storage import storage
from apps.core.testing import Cast, sample
from apps.departures import services
from apps.departures.models import ExportState, OrganizationDeletion, OrganizationExport
from apps.organizations.models import Closure, Organization
from tests.factories.organizations import OrganizationFactory


class OrganizationExportFactory(DjangoModelFactory):
    """One that is ready; its file is put into the store."""

    class Meta:
        model = OrganizationExport
        skip_postgeneration_save = True

    organization = factory.SubFactory(OrganizationFactory)
    state = ExportState.READY
    attempt = 1
    sha256 = "0" * 64
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))

    @factory.post_generation
    def file(export: OrganizationExport, create: bool, content: bytes | None, **kwargs: object) -> None:
        if export.state == ExportState.READY:
            stored = storage().put(export.key, io.BytesIO(content or b"a zip"))
            OrganizationExport.objects.filter(pk=export.pk).update(byte_count=stored.size)


@sample("organization-export", "organizations/exports", "departures.OrganizationExport")
def organization_export(cast: Cast) -> OrganizationExport:
    return OrganizationExportFactory(organization=cast.sample("organization"), requested_by=cast.admin.user)


@sample("organization-deletion", "departures.OrganizationDeletion")
def organization_deletion(cast: Cast) -> OrganizationDeletion:
    """The first organization waits for its deletion."""
    organization = cast.sample("organization")
    return services.deletion_schedule(
        actor=cast.admin.actor, organization=organization, name=str(organization), reason=f"Closing {cast.canary}"
    )


@sample("closing-organization")
def closing_organization(cast: Cast) -> Organization:
    """The first organization, which waits for its deletion."""
    deletion = cast.sample("organization-deletion")
    assert Organization.objects.get(pk=deletion.organization_id).closure == Closure.CLOSING
    return cast.sample("organization")
