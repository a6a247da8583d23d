"""Advisory locks of the database, for work that is longer than a transaction: they end with the connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

UPLOADS = 0x4D59_0001
BLOBS = 0x4D59_0002


def _number(identifier: UUID) -> int:
    """31 bits of an id. Two ids of one number wait for each other, no more."""
    return hash(identifier) & 0x7FFFFFFF


@contextmanager
def upload_lock(upload_id: UUID) -> Iterator[bool]:
    """Whether this worker alone has its hands on the upload: a message delivered twice does its work once."""
    with _held("pg_try_advisory_lock", "pg_advisory_unlock", UPLOADS, _number(upload_id)) as held:
        yield held


@contextmanager
def blobs_shared(organization_id: UUID) -> Iterator[None]:
    """Held while objects are stored that no row names yet: meanwhile nothing is swept."""
    with _held("pg_advisory_lock_shared", "pg_advisory_unlock_shared", BLOBS, _number(organization_id)):
        yield


@contextmanager
def blobs_alone(organization_id: UUID) -> Iterator[bool]:
    """Whether nobody stores objects for the organization, and nobody starts to."""
    with _held("pg_try_advisory_lock", "pg_advisory_unlock", BLOBS, _number(organization_id)) as held:
        yield held


@contextmanager
def _held(take: str, give: str, family: int, number: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {take}(%s, %s)", [family, number])
        held = cursor.fetchone()[0] is not False
    try:
        yield held
    finally:
        if held:
            _release(give, family, number)


def _release(give: str, family: int, number: int) -> None:
    # After an error inside a transaction nothing can be asked; the lock then ends with the connection.
    if connection.connection is None or connection.needs_rollback:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {give}(%s, %s)", [family, number])
