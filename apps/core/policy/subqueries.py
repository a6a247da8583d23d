"""What rules say, kept as composed: Django takes longer to compose a rule than the database to answer it.

A rule goes by the actor's rights alone; it asks the database nothing and knows no clock (tests/core/test_subqueries.py
holds every rule to that). So for the same rights the text and its values are the same, and nothing that could change is
kept: which rows it finds the database says anew each time, and who loses a role has other rights.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from uuid import uuid4

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Model, Q, QuerySet, UUIDField
from django.db.models.expressions import RawSQL

from apps.core.entities import Question
from apps.core.identity import Actor

T = TypeVar("T")
Composed = tuple[str, tuple[Any, ...]]

#: So many of each kind, some kilobytes each: a few for everybody who was here lately. A kind that is full begins anew.
MOST = 8192
#: Stand for the key of the row that is asked about while the question is composed, a UUID or a number: values that no
#: rule has of its own, or the row's place among the values could not be told.
MARK = uuid4()
NUMBERED = 2**31 - 1 - MARK.int % 1000

_subqueries: dict[Hashable, Composed] = {}
_conditions: dict[Hashable, Q] = {}
_questions: dict[Hashable, Question | tuple[()]] = {}


def forget() -> None:
    """Everything is composed anew."""
    for held in (_subqueries, _conditions, _questions):
        held.clear()


def _keep(held: dict[Hashable, T], key: Hashable, value: T) -> T:
    if len(held) >= MOST:
        held.clear()
    held[key] = value
    return value


def kept(name: Hashable, actor: Actor, rows: Callable[[], QuerySet[Any]]) -> QuerySet[Any] | RawSQL:
    """The right side of an `__in`: the one column that `rows()` selects.

    `name` tells it from every other subquery of the actor. `rows` goes by `actor.rights`, and refers to nothing of the
    query that it is put into.
    """
    if actor.scopes is not None:
        # What a key lacks is noted whenever it is asked for.
        return rows()
    key = (name, actor.rights)
    found = _subqueries.get(key)
    if found is None:
        composed = rows().order_by()
        try:
            found = _keep(_subqueries, key, composed.query.sql_with_params())
        except EmptyResultSet:
            return composed
    return RawSQL(*found)  # nosec B611  # what the compiler of querysets wrote


def kept_condition(name: Hashable, actor: Actor, compose: Callable[[], Q]) -> Q:
    """The condition that `compose()` makes of the actor's rights, shared by all who ask: combine it, never change it."""
    key = (name, actor.rights)
    found = _conditions.get(key)
    return _keep(_conditions, key, compose()) if found is None else found


def kept_answer(name: Hashable, actor: Actor, obj: Model, model: type[Model], condition: Q) -> bool:
    """Whether the object's row of the model meets the condition, asked of the database.

    The question is composed once for the actor's rights, about a row that `MARK` stands for.
    """
    key = (name, actor.rights)
    question = _questions.get(key)
    if question is None:
        question = _keep(_questions, key, _question(model, condition))
    if not question:
        return False
    return bool(question.ask(_key(model).get_db_prep_value(obj.pk, connections[question.using])))


def _question(model: type[Model], condition: Q) -> Question | tuple[()]:
    """Nothing when no row can meet the condition."""
    mark = MARK if isinstance(_key(model), UUIDField) else NUMBERED
    rows = model._default_manager.filter(pk=mark).filter(condition)
    try:
        return Question.of(rows, [mark], rows.query.exists())
    except EmptyResultSet:
        return ()


def _key(model: type[Model]) -> Any:
    """The field that the values of the model's key are of."""
    field: Any = model._meta.pk
    while field.is_relation:
        field = field.target_field
    return field
