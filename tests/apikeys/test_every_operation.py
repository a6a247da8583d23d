"""Two keys at every REST operation: one that may hardly do anything, and one of another organization."""

from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, RestClient
from apps.core.testing.openapi import Endpoint, endpoints
from tests.factories.apikeys import key_of
from tests.security.report import CREDENTIALS
from tests.security.tenancy import Gets
from tests.security.test_tenancy import assert_no_leak, body_of, events_of_the_first, filled, rest_row

pytestmark = [
    pytest.mark.security(CREDENTIALS, "scopes of API keys"),
    pytest.mark.world("owner", "admin", "stranger", "dataset"),
]

#: What a key without any permission for it may still ask: itself, the API, the installation's trainers and formats; it
#: may open a socket, where the right to the object is asked. (An unknown refresh token is revoked by doing nothing.)
OPEN_TO_EVERY_KEY = {
    "api_endpoints_list",
    "api_keys_scopes_list",
    "audit_logs_verifier_retrieve",
    "auth_token_revoke",
    "datasets_formats_list",
    "me_permissions_retrieve",
    "me_retrieve",
    "trainers_config_schema_retrieve",
    "trainers_list",
    "trainers_retrieve",
    "ws_tickets_create",
}
#: No scope covers it: refused before anything is looked for.
NOT_FOR_KEYS = {"auth_password_change", "sessions_destroy"}
OUTSIDE = "apikey.used_outside_scope"


@pytest.fixture(scope="module")
def keys(world: Cast, django_db_blocker: Any) -> dict[str, str]:
    """Made once: to give a key its permissions costs more than to ask something with it."""
    with django_db_blocker.unblock():
        return {
            "narrow": key_of(world.admin, "resources.view_node", name="narrow")[1],
            "stranger": key_of(world.stranger, name="stranger's")[1],
        }


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_a_narrow_key_gets_nothing_anywhere_else(endpoint: Endpoint, cast: Cast, keys: dict[str, str]) -> None:
    """Its owner may do nearly everything here; the key was given the sight of machines alone."""
    row = rest_row(endpoint)
    client = RestClient(keys["narrow"])
    path, body = filled(cast, endpoint.path, row), body_of(row, cast)
    before = events_of_the_first(cast)
    response = getattr(client, endpoint.method.lower())(f"/{path}", body)
    if row.gets == Gets.OPEN or endpoint.operation_id in OPEN_TO_EVERY_KEY:
        assert response.status_code < 500
    elif endpoint.operation_id in {"nodes_list", "nodes_retrieve"}:
        assert response.status_code == 200
    else:
        assert response.status_code in {400, 403, 404}, response.content[:300]
        assert cast.canary not in response.content.decode(errors="replace")
    written = events_of_the_first(cast) - before
    assert written <= 1, "a refusal writes one event, and nothing else does"
    if written:
        assert AuditEvent.objects.latest("id").action == OUTSIDE


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_a_strangers_key_gets_nothing_of_another_organization(
    endpoint: Endpoint, cast: Cast, keys: dict[str, str]
) -> None:
    row = rest_row(endpoint)
    path, body = filled(cast, endpoint.path, row), body_of(row, cast)
    before = events_of_the_first(cast)
    response = getattr(RestClient(keys["stranger"]), endpoint.method.lower())(f"/{path}", body)
    if endpoint.operation_id in NOT_FOR_KEYS:
        assert response.status_code == 403, response.content[:300]
    elif row.gets == Gets.HIDDEN:
        assert response.status_code == 404, response.content[:300]
    elif row.gets == Gets.REFUSED:
        assert response.status_code == 400, response.content[:300]
    elif row.gets == Gets.PUBLIC:
        # With every permission the key has that of reading what is public; others: tests/security/test_public_sets.py.
        assert response.status_code < 300, response.content[:300]
        assert_no_leak(cast, response, path + str(body), cast.sample("organization").company)
        return
    else:
        assert response.status_code < 500
    assert events_of_the_first(cast) == before
    assert_no_leak(cast, response, path + str(body))


# --- One's own permissions
