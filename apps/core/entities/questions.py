"""Queries whose text is composed once: Django takes longer to compose one than the database to answer it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import connections, router
from django.db.models import QuerySet
from django.db.models.sql import Query


@dataclass(frozen=True, slots=True)
class Question:
    """The SQL of a query, and which of its values differ from one asking to the next.

    Rows come as the database gives them: for columns whose fields turn nothing into something else.
    """

    using: str
    sql: str
    values: tuple[Any, ...]
    #: Where among the values each of the given ones stands.
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, rows: QuerySet[Any], marks: Sequence[Any], query: Query | None = None) -> Self:
        """The question that `rows`, or a `query` made of them, ask; `marks` are values that stand in it for those to
        come, and that nothing else in it equals. Raises `EmptyResultSet` where no row can answer."""
        using = router.db_for_read(rows.model)
        sql, values = (query or rows.query).get_compiler(using).as_sql()
        places = tuple(tuple(number for number, value in enumerate(values) if value == mark) for mark in marks)
        assert all(places), "a mark stands nowhere in the query"
        return cls(using, sql, tuple(values), places)

    def ask(self, *given: Any) -> list[tuple[Any, ...]]:
        """The rows for these values, in the order of the marks. One query."""
        values = list(self.values)
        for value, places in zip(given, self.places, strict=True):
            for place in places:
                values[place] = value
        with connections[self.using].cursor() as cursor:
            cursor.execute(self.sql, values)
            return cursor.fetchall()
