"""Sockets tried by people of another organization, and by every actor of the own; committed, because a socket has a connection of its own."""

import pytest
from asgiref.sync import sync_to_async
from modelyard.asgi import application
from modelyard.routing import websocket_urlpatterns

from apps.core.testing import Cast, SocketClient
from tests.factories.cast import build
from tests.security.actors import Credentials, Who
from tests.security.report import ROLES, TENANCY
from tests.security.roles import OK
from tests.security.roles import SOCKETS as ROLE_SOCKETS
from tests.security.tenancy import SOCKETS
from tests.security.test_tenancy import Record, filled

pytestmark = pytest.mark.security


def test_every_socket_has_a_row() -> None:
    known = {str(route.pattern) for route in websocket_urlpatterns}
    assert known == set(ROLE_SOCKETS), "tests/security/roles.py"
    assert known == set(SOCKETS), f"without a row: {known - set(SOCKETS)}, rows too many: {set(SOCKETS) - known}"


@pytest.mark.security(TENANCY, "sockets")
@pytest.mark.django_db(transaction=True)
async def test_a_socket_of_another_organization_stays_closed(sample_factories: None, record_property: Record) -> None:
    cast = Cast(build)
    record_property("doors", list(SOCKETS))
    record_property("tried", 2 * len(SOCKETS))
    for route, row in SOCKETS.items():
        path = await sync_to_async(filled)(cast, route, row)
        token = await sync_to_async(lambda: cast.stranger.token)()
        for headers, code in (({"Authorization": f"Bearer {token}"}, 4404), ({}, 4401)):
            socket = SocketClient(application, f"/{path}", headers={"Host": "testserver", **headers})
            if await socket.connect():
                assert await socket.receive_close() == code
            else:
                assert socket.closed == code


@pytest.mark.security(ROLES, "sockets")
@pytest.mark.django_db(transaction=True)
async def test_every_actor_gets_from_a_socket_what_the_table_says(
    sample_factories: None, record_property: Record
) -> None:
    cast = Cast(build)
    record_property("doors", list(ROLE_SOCKETS))
    record_property("actors", [str(who) for row in ROLE_SOCKETS.values() for who in row.cells])
    found: dict[tuple[str, Who], str] = {}
    paths = {route: await sync_to_async(filled)(cast, route, SOCKETS[route]) for route in ROLE_SOCKETS}
    credentials = await sync_to_async(Credentials.of)(cast)
    for route, row in ROLE_SOCKETS.items():
        for who in row.cells:
            found[route, who] = await _answer_of(f"/{paths[route]}", credentials.tokens[who])
    assert found == {(route, who): cell for route, row in ROLE_SOCKETS.items() for who, cell in row.cells.items()}


async def _answer_of(path: str, token: str) -> str:
    """`ok`, or the status that the close code stands for."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    socket = SocketClient(application, path, headers={"Host": "testserver", **headers})
    if not await socket.connect():
        return str((socket.closed or 0) - 4000)
    try:
        await socket.receive_json()
    except ConnectionError:
        return str((socket.closed or 0) - 4000)
    await socket.disconnect()
    return OK
