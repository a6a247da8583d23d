"""Sockets of one organization tried by people of another; committed, because a socket has a connection of its own."""

import pytest
from asgiref.sync import sync_to_async
from modelyard.asgi import application
from modelyard.routing import websocket_urlpatterns

from apps.core.testing import Cast, SocketClient
from tests.factories.cast import build
from tests.security.report import TENANCY
from tests.security.tenancy import SOCKETS
from tests.security.test_tenancy import Record, filled

pytestmark = pytest.mark.security


def test_every_socket_has_a_row() -> None:
    known = {str(route.pattern) for route in websocket_urlpatterns}
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
