from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.apikeys.latency import STEPS
from apps.apikeys.models import ApiKey, EndpointUsage
from apps.apikeys.scopes import offered
from apps.apikeys.services import key_create
from apps.core.testing import Cast, Person, RestClient, sample
from apps.organizations.models import Organization


def key_of(person: Person, *scopes: str, **changes: Any) -> tuple[ApiKey, str]:
    """A key of the person's, as the portal makes it, and its secret. Without scopes: all that they may give."""
    actor = person.actor
    fields: dict[str, Any] = {
        "name": f"key {ApiKey.objects.count()}",
        "expires_at": timezone.now() + timedelta(days=30),
        "organization": Organization.objects.get(pk=person.organization_id),
        **changes,
    }
    return key_create(actor=actor, scopes=scopes or offered(actor), **fields)


def client_of(secret: str) -> RestClient:
    return RestClient(secret)


@sample("api-key", "api-keys", "apikeys.ApiKey")
def api_key(cast: Cast) -> ApiKey:
    """A key of the persona owner, with every permission."""
    return key_of(cast.owner, name=f"Key {cast.canary}")[0]


@sample("apikeys.EndpointUsage")
def usage(cast: Cast) -> EndpointUsage:
    """One hour of calls by the sample key."""
    key = cast.sample("api-key")
    return EndpointUsage.objects.create(
        hour=timezone.now().replace(minute=0, second=0, microsecond=0),
        organization=key.organization,
        key=key,
        endpoint="GET /api/v1/projects",
        calls=10,
        client_errors=2,
        histogram=[0] * 10 + [10] + [0] * (STEPS - 11),
    )
