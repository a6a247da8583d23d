"""Subqueries that rules are composed of, kept as SQL: Django takes longer to compose one than the database to answer it.

A rule goes by the actor's rights alone; it asks the database nothing and knows no clock (tests/core/test_subqueries.py
holds every rule to that). So for the same rights the text and its values are the same, and nothing that could change is
kept: which rows it finds the database says anew each time, and who loses a role has other rights.
"""

from collections.abc import Callable, Hashable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.core.identity import Actor

#: Some kilobytes each: a few for everybody who was here lately. When they are full, it begins anew.
MOST = 4096

_kept: dict[Hashable, tuple[str, tuple[Any, ...]]] = {}


def kept(name: Hashable, actor: Actor, rows: Callable[[], QuerySet[Any]]) -> QuerySet[Any] | RawSQL:
    """The right side of an `__in`: the one column that `rows()` selects.

    `name` tells it from every other subquery of the actor. `rows` goes by `actor.rights`, and refers to nothing of the
    query that it is put into.
    """
    if actor.scopes is not None:
        # What a key lacks is noted whenever it is asked for.
        return rows()
    key = (name, actor.rights)
    found = _kept.get(key)
    if found is None:
        composed = rows().order_by()
        try:
            found = composed.query.sql_with_params()
        except EmptyResultSet:
            return composed
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = found
    return RawSQL(*found)  # nosec B611 - what the compiler of querysets wrote
