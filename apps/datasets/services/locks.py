"""Locks on uploads, for work that is longer than a transaction (apps.core.storage.locks has those on blobs)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID
from zlib import crc32

from apps.core.storage.locks import Family, held, number_of

#: Imports that are fetched at a time in the whole portal: a worker has eight threads, and others need some too.
IMPORT_SLOTS = 4


@contextmanager
def upload_lock(upload_id: UUID) -> Iterator[bool]:
    """Whether this worker alone has its hands on the upload: a message delivered twice does its work once."""
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.UPLOAD, number_of(upload_id)) as got:
        yield got


@contextmanager
def import_slot() -> Iterator[bool]:
    """Whether one of the places for imports was free; it is taken meanwhile."""
    for number in range(IMPORT_SLOTS):
        with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.IMPORT_SLOT, number) as got:
            if got:
                yield True
                return
    yield False


@contextmanager
def path_lock(upload_id: UUID, path: str) -> Iterator[None]:
    """Held while a file is put in its place: of two for one path the second finds, and replaces, the first."""
    with held(
        "pg_advisory_lock", "pg_advisory_unlock", Family.PATH, crc32(f"{upload_id}/{path}".encode()) & 0x7FFFFFFF
    ):
        yield
