"""Connections of the database, of which a process has few."""

from django.db import connection


def release_connection() -> None:
    """Gives the thread's connection back to the pool; the next statement takes one anew.

    Before everything that may take long without the database: a slow reader of an answer, another process. Where a
    transaction is open it stays, because the work in it would be lost.
    """
    if not connection.in_atomic_block:
        connection.close()
