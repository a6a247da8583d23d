"""Query counts: the same for one row and for twenty, and the queries themselves when not."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


def captured_queries(call: Callable[[], Any]) -> list[str]:
    """The SQL that a call sends, savepoints left out."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]]


def assert_constant_queries(
    call: Callable[[], Any], *, add_rows: Callable[[int], Any], at_most: int | None = None
) -> None:
    """Checks that `call` costs as many queries with 20 rows as with one, and no more than the baseline `at_most`.

    `add_rows(n)` makes `n` more rows for `call` to meet. On failure the message lists the queries that repeat.
    """
    add_rows(1)
    call()  # caches that live for the process (content types, settings) are filled by the first call
    one = captured_queries(call)
    add_rows(19)
    twenty = captured_queries(call)
    if len(one) != len(twenty):
        raise AssertionError(
            f"{len(one)} queries with 1 row, {len(twenty)} with 20. Repeated with 20:\n{_repeated(twenty)}"
        )
    if at_most is not None and len(twenty) > at_most:
        listed = "\n".join(f"  {number}. {sql}" for number, sql in enumerate(twenty, 1))
        raise AssertionError(f"{len(twenty)} queries, the baseline is {at_most}:\n{listed}")


def _repeated(queries: list[str]) -> str:
    # Two queries are the same when they differ in their values only; values stand behind the WHERE.
    shapes = Counter(sql.split(" WHERE ")[0] for sql in queries)
    return "\n".join(f"  {count} x {shape}" for shape, count in shapes.most_common() if count > 1)
