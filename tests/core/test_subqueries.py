"""Subqueries of rules that are kept as SQL: the same for the same rights, and never a row or a right too many."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core import policy
from apps.core.identity import Actor, Role
from apps.core.policy import subqueries
from apps.core.testing import Cast
from apps.jobs.models import Job
from apps.projects.models import Project
from apps.training.models import TrainingJob

VIEW = "training.view_trainingjob"
#: How somebody came in, which no rule may go by. What else an actor knows is among their rights.
DOOR = {
    "via",
    "request_id",
    "ip",
    "user_agent",
    "calls_per_minute",
    "organization_calls_per_minute",
    "missed",
    "family",
}


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    subqueries.forget()
    yield
    subqueries.forget()


def sql(actor: Actor, permission: str) -> Any:
    rows = policy.rule_of(permission).model._default_manager.filter(policy.condition(actor, permission))
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return None


def test_every_field_of_an_actor_is_a_right_or_belongs_to_the_door(cast: Cast) -> None:
    actor = cast.viewer.actor
    others = {
        "user": cast.owner.user,
        "memberships": {**actor.memberships, uuid4(): Role.GUEST},
        "process": "test",
        "narrowed": True,
        "vouched": "somebody",
    }
    for field in fields(Actor):
        if field.name in DOOR:
            continue
        value = others.get(field.name, uuid4() if field.name.endswith("_id") else frozenset({uuid4()}))
        assert replace(actor, **{field.name: value}).rights != actor.rights, field.name


def test_who_stops_being_a_platform_administrator_has_other_rights(cast: Cast) -> None:
    actor = cast.platform.actor
    before = actor.rights
    actor.user.is_active = False
    assert actor.rights != before


def test_rules_go_by_rights_alone_ask_nothing_and_know_no_clock(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is kept of one request holds for the next."""
    actors = [persona.actor for persona in (cast.owner, cast.member, cast.viewer, cast.admin, cast.stranger)]
    elsewhere = {name: f"other {name}" for name in DOOR - {"missed"}}
    monkeypatch.setattr(timezone, "now", None)
    for actor in actors:
        for permission in policy.names():
            with CaptureQueriesContext(connection) as asked:
                subqueries.forget()
                composed = sql(actor, permission)
                kept = sql(actor, permission)
                subqueries.forget()
                other = sql(replace(actor, **elsewhere), permission)
            assert composed == kept == other, permission
            assert len(asked) == 0, permission


def test_a_second_page_composes_nothing_anew(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    training, actor = cast.sample("training-job"), cast.viewer.actor
    assert training in TrainingJob.objects.visible(actor)
    monkeypatch.setattr(Project._default_manager, "filter", None)
    assert training in TrainingJob.objects.visible(replace(actor, request_id="another"))


def test_what_is_kept_finds_the_rows_as_they_are_now(cast: Cast) -> None:
    training, actor = cast.sample("training-job"), cast.viewer.actor
    assert policy.allows(actor, VIEW, training)
    project = Project.objects.filter(pk=training.project_id)
    project.update(deleted_at=timezone.now())
    assert not policy.allows(actor, VIEW, training)
    project.update(deleted_at=None)
    assert policy.allows(actor, VIEW, training)
    project.get().memberships.filter(user=actor.user).delete()
    assert not policy.allows(actor, VIEW, training)


def test_nothing_kept_of_one_person_serves_another(cast: Cast) -> None:
    training = cast.sample("training-job")
    assert policy.allows(cast.viewer.actor, VIEW, training)
    for actor in (cast.stranger.actor, replace(cast.viewer.actor, memberships={}), Actor.anonymous()):
        assert not policy.allows(actor, VIEW, training)


def test_what_is_asked_of_a_row_is_what_a_list_of_it_would_say(cast: Cast) -> None:
    """With what is kept of a first question, of rows that meet the rule and of rows that do not."""
    rows = [cast.sample(label) for label in ("project", "private-dataset", "training-job", "api-key", "invitation")]
    rows += [cast.sample("organization"), cast.member.user.memberships.get(), cast.sample("trashed-dataset")]
    people = [cast.owner, cast.member, cast.guest, cast.admin, cast.stranger, cast.platform]
    actors = [person.actor for person in people] + [Actor.system("test"), Actor.anonymous()]
    told = set()
    for row in rows:
        for permission in policy.names():
            if not isinstance(row, policy.rule_of(permission).model):
                continue
            for actor in actors:
                listed = type(row)._default_manager.filter(policy.condition(actor, permission))
                said = [policy.allows(actor, permission, row) for _time in range(2)]
                assert said == [row in listed] * 2, (permission, row)
                told.add(said[0])
    assert told == {True, False}


def test_it_begins_anew_when_it_is_full(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subqueries, "MOST", 3)
    training = cast.sample("training-job")
    for persona in (cast.owner, cast.editor, cast.viewer, cast.admin):
        assert policy.allows(persona.actor, VIEW, training)
        assert max(map(len, (subqueries._subqueries, subqueries._conditions, subqueries._questions))) <= 3


def test_what_is_held_on_a_page_is_what_the_rule_says_of_each_row(cast: Cast) -> None:
    """Through the project, by a share, and not at all."""
    for label in ("training-job", "training-share", "training-group-share"):
        cast.sample(label)
    rows = list(Job.objects.all())
    for persona in (cast.owner, cast.member, cast.viewer, cast.guest, cast.admin, cast.stranger):
        for permission in ("jobs.view_job", "jobs.change_job"):
            held = Job.objects.held(persona.actor, permission, [row.pk for row in rows])
            assert held == {row.pk for row in rows if policy.allows(persona.actor, permission, row)}


def test_a_training_is_seen_and_changed_by_those_who_see_and_change_its_job(cast: Cast) -> None:
    cast.sample("training-share")
    for persona in (cast.owner, cast.member, cast.viewer, cast.admin, cast.stranger, cast.platform):
        for verb in ("view", "change"):
            trainings = TrainingJob.objects.permitted(persona.actor, f"training.{verb}_trainingjob")
            jobs = Job.objects.permitted(persona.actor, f"jobs.{verb}_job").filter(training__isnull=False)
            assert {row.pk for row in trainings} == {row.pk for row in jobs}
