"""Advisory locks of the database, for work that is longer than a transaction: they end with the connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, unique
from uuid import UUID

from django.db import connection


@unique
class Family(IntEnum):
    """What a lock is for. All stand here, since two purposes of one number keep each other waiting, or out, for nothing.

    While a portal is replaced, processes of both versions run: a number that was given is not given again.
    """

    UPLOAD = 0x4D59_0001
    BLOBS = 0x4D59_0002
    PATH = 0x4D59_0003
    CHECK = 0x4D59_0004
    IMPORT_SLOT = 0x4D59_0005
    TRASH = 0x4D59_0007
    DEPARTURE = 0x4D59_0008
    EXPORT = 0x4D59_0009
    DECODING = 0x4D59_000A


def number_of(identifier: UUID) -> int:
    """31 bits of an id. Two ids of one number wait for each other, no more."""
    return hash(identifier) & 0x7FFFFFFF


@contextmanager
def blobs_shared(organization_id: UUID) -> Iterator[None]:
    """Held from before a blob is stored, or found to be there, until a row names it: meanwhile nothing is swept."""
    with held("pg_advisory_lock_shared", "pg_advisory_unlock_shared", Family.BLOBS, number_of(organization_id)):
        yield


@contextmanager
def blobs_alone(organization_id: UUID) -> Iterator[bool]:
    """Whether nobody stores blobs for the organization, and nobody starts to."""
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.BLOBS, number_of(organization_id)) as got:
        yield got


@contextmanager
def held(take: str, give: str, family: Family, number: int) -> Iterator[bool]:
    """Takes a lock of the connection by the function `take`, and says whether it was got; `give` releases it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {take}(%s, %s)", [int(family), number])
        got = cursor.fetchone()[0] is not False
    try:
        yield got
    finally:
        if got:
            _release(give, family, number)


def _release(give: str, family: Family, number: int) -> None:
    # After an error inside a transaction nothing can be asked; the lock then ends with the connection.
    if connection.connection is None or connection.needs_rollback:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {give}(%s, %s)", [int(family), number])
