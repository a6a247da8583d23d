"""Every actor of the own organization at every REST operation. The expectations are in `roles.py`.

`make security` tries every actor; `make test`, of those next to each other in the table who get the same, the first and
the last.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.core.exceptions import EmptyResultSet

from apps.audit.models import AuditEvent
from apps.core import policy
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, Persona
from apps.core.testing.openapi import Endpoint, endpoints
from apps.organizations.models import Membership
from tests.security.actors import PERSONAS, Credentials, Request, Who, undone
from tests.security.report import FULL, ROLES
from tests.security.roles import OK, REST, Row
from tests.security.test_tenancy import Record
from tests.stores import one_bucket

pytestmark = [
    pytest.mark.security(ROLES, "REST operations"),
    pytest.mark.world(
        *Persona,
        "sharing-project",
        "dataset",
        "grown-dataset",
        "public-dataset",
        "dataset-export",
        "waiting-export",
        "analysed-upload",
        "training-job",
        "checkpoint",
        "artifact",
        "tried-checkpoint",
        "inference-job",
        "run",
        "node",
    ),
]
#: Bodies that name something of whoever sends them: a password, an address, a token.
PERSONAL = ("auth_", "me_")
#: Written when a key is refused.
OUTSIDE = "apikey.used_outside_scope"


@pytest.fixture(scope="module")
def credentials(world: Cast, django_db_blocker: Any) -> Credentials:
    with django_db_blocker.unblock():
        return Credentials.of(world)


@pytest.fixture(autouse=True)
def a_bucket_where_one_is_needed(request: pytest.FixtureRequest, settings: Any) -> Iterator[None]:
    """Files are sent straight to the store only where it is a bucket."""
    with one_bucket(settings) if "_direct_" in request.node.name else nullcontext():
        yield


def requests_to(endpoint: Endpoint, cast: Cast) -> dict[Who, Request]:
    """Made before the first is sent, so that the objects are there for all."""
    people = {who: cast.person(persona) for who, persona in PERSONAS.items()}
    if endpoint.operation_id.startswith(PERSONAL):
        return {who: Request.to(endpoint, cast, person) for who, person in people.items()}
    return dict.fromkeys(people, Request.to(endpoint, cast, cast.admin))


def uncounted(endpoint: Endpoint) -> AbstractContextManager[Any]:
    """Signing in is limited by address, which all of them share."""
    if not endpoint.operation_id.startswith("auth_"):
        return nullcontext()
    return mock.patch.object(caches["default"], "key_prefix", f"test-{uuid4().hex}")


def written() -> int:
    return AuditEvent.objects.exclude(action=OUTSIDE).count()


def tried(cells: Mapping[Any, str]) -> dict[str, str]:
    """The cells that this run tries: all of them, or the edges of each run of equal ones."""
    rows = [(str(who), cell) for who, cell in cells.items()]
    around = zip(rows, [None, *rows], [*rows[1:], None], strict=False)
    return {
        who: cell
        for (who, cell), before, after in around
        if FULL or not (before and after) or {before[1], after[1]} != {cell}
    }


def wrong(row: Row, who: Who, status: int, events: int) -> str:
    """What is not as the row says; empty if everything is."""
    expected = row.cells[who]
    if expected == OK:
        return "" if status < 300 or status in row.state else f"{who}: {status}, expected to be allowed"
    if str(status) != expected:
        return f"{who}: {status}, expected {expected}"
    return f"{who}: refused, and {events} events written" if events else ""


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_every_actor_gets_over_rest_what_the_table_says(
    endpoint: Endpoint, cast: Cast, credentials: Credentials, record_property: Record
) -> None:
    row = REST.get(endpoint.operation_id)
    assert row, f"{endpoint.operation_id} ({endpoint.method} {endpoint.path}) has no row in tests/security/roles.py"
    requests, found = requests_to(endpoint, cast), []
    actors = [who for who in row.cells if str(who) in tried(row.cells)]
    record_property("actors", [str(who) for who in actors])
    before = written()
    for who in actors:
        with undone(), uncounted(endpoint):
            response = requests[who].send(credentials.rest(who))
            events = written() - before if row.cells[who] != OK else 0
            found.append(wrong(row, who, response.status_code, events))
    assert not any(found), "\n".join(filter(None, found))


def test_no_row_is_left_over() -> None:
    assert set(REST) == {endpoint.operation_id for endpoint in endpoints()}


def test_engineers_of_both_kinds_may_do_the_same(cast: Cast) -> None:
    """No rule tells them apart. Where one will, the members' page and the table are to say so."""
    asked = []
    for role in (Role.ENGINEER_II, Role.ENGINEER_I):
        Membership.objects.filter(user=cast.person(Persona.SENIOR).user).update(role=role)
        actor = Actor.of(cast.person(Persona.SENIOR).user, organization_id=cast.sample("organization").pk)
        assert actor.role == role
        asked.append([allowed(actor, name) for name in policy.names()])
    assert asked[0] == asked[1]


def allowed(actor: Actor, permission: str) -> str:
    """What the database is asked for."""
    found = policy.rule_of(permission).model._default_manager.filter(policy.condition(actor, permission))
    try:
        return str(found.values("pk").query)
    except EmptyResultSet:
        return "nothing"
