"""What API keys put into an organization's export, never a secret or its digest, and how they go with it."""

from uuid import UUID

from django.db.models import QuerySet

from apps.apikeys.models import ApiKey, EndpointUsage
from apps.departures.contributions import Contribution, Removal, listed


def _keys(organization_id: UUID) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(organization_id=organization_id)


def _usage(organization_id: UUID) -> QuerySet[EndpointUsage]:
    return EndpointUsage.objects.filter(organization_id=organization_id)


KEYS = listed(
    "api-keys",
    _keys,
    {
        "id": ("pk", "Id of the key; its secret is not kept anywhere."),
        "name": ("name", "Name."),
        "owner_id": ("owner_id", "Id of the person for whom it stands."),
        "scopes": ("scopes", "Permissions that it was given."),
        "limited_to_projects": ("limited_to_projects", "Whether it reaches some projects only."),
        "created_at": ("created_at", "When it was made."),
        "expires_at": ("expires_at", "When it ends, or ended."),
        "revoked_at": ("revoked_at", "When it was revoked; null: it was not."),
        "last_used_at": ("last_used_at", "When it was last used; null: never."),
    },
)
CONTRIBUTION = Contribution(parts=(KEYS,), removals=(Removal(_usage), Removal(_keys)))
