"""The test kit: personas with their clients, permission matrices, query baselines, responses checked against OpenAPI.

It knows no app. What a project, a dataset or a job looks like in a test is registered by `tests/factories/<app>.py`.
"""

from apps.core.testing.clients import PortalClient, RestClient
from apps.core.testing.commits import committed
from apps.core.testing.matrix import PermissionMatrix
from apps.core.testing.openapi import check_response, schema
from apps.core.testing.personas import Cast, Person, Persona
from apps.core.testing.queries import assert_constant_queries, captured_queries
from apps.core.testing.samples import sample, sample_names
from apps.core.testing.sockets import SocketClient

__all__ = [
    "Cast",
    "PermissionMatrix",
    "Person",
    "Persona",
    "PortalClient",
    "RestClient",
    "SocketClient",
    "assert_constant_queries",
    "captured_queries",
    "check_response",
    "committed",
    "sample",
    "sample_names",
    "schema",
]
