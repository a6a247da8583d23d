"""Queries whose text is composed once: asked again with other values, they answer as the composed ones do."""

from uuid import uuid4

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core.entities import Question
from apps.core.testing import Cast

pytestmark = pytest.mark.django_db


def test_each_asking_is_one_query_about_its_own_values(cast: Cast) -> None:
    person, address = uuid4(), str(uuid4())
    rows = User.objects.filter(is_active=True).filter(pk=person) | User.objects.filter(is_active=True, email=address)
    question = Question.of(rows.order_by("email").values_list("pk", "email"), [person, address])
    owner, viewer, stranger = cast.owner.user, cast.viewer.user, cast.stranger.user

    with CaptureQueriesContext(
        connection,
    ) as queries:
        first = question.ask(owner.pk, viewer.email)
        second = question.ask(stranger.pk, "nobody@example.com")

    assert len(queries) == 2
    assert sorted(first) == sorted([(owner.pk, owner.email), (viewer.pk, viewer.email)])
    assert second == [(stranger.pk, stranger.email)]


def test_a_value_that_stands_twice_is_given_twice(cast: Cast) -> None:
    mark = str(uuid4())
    rows = User.objects.filter(email=mark) | User.objects.filter(name=mark)
    question = Question.of(rows.values_list("pk"), [mark])

    cast.viewer.user.change(name=cast.owner.user.email)

    assert {pk for (pk,) in question.ask(cast.owner.user.email)} == {cast.owner.user.pk, cast.viewer.user.pk}


def test_a_mark_that_stands_nowhere_and_a_wrong_count_of_values_are_mistakes_of_the_program() -> None:
    mark = uuid4()
    with pytest.raises(AssertionError, match="stands nowhere"):
        Question.of(User.objects.all(), [mark])
    with pytest.raises(ValueError, match="argument"):
        Question.of(User.objects.filter(pk=mark).values_list("pk"), [mark]).ask()


def test_what_no_row_can_answer_is_no_question() -> None:
    with pytest.raises(EmptyResultSet):
        Question.of(User.objects.none(), [])
