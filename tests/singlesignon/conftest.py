from collections.abc import Iterator
from typing import Any

import pytest

from apps.core.testing import Cast
from apps.singlesignon.models import Connection
from tests.factories.singlesignon import ConnectionFactory
from tests.singlesignon.provider import FakeProvider, Journey


@pytest.fixture
def provider(settings: Any) -> Iterator[FakeProvider]:
    """On loopback, which the operator has allowed."""
    found = FakeProvider().start()
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", found.port)})
    yield found
    found.stop()


@pytest.fixture
def connection(cast: Cast, provider: FakeProvider) -> Connection:
    """The first organization's, for acme.example."""
    made: Connection = ConnectionFactory(
        organization=cast.sample("organization"), short_name="acme", issuer=provider.issuer, domains=["acme.example"]
    )
    return made


@pytest.fixture
def journey(connection: Connection, provider: FakeProvider) -> Journey:
    return Journey(provider)
