"""The decorator under which every write stands, and the audit events that it insists on."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db.models import Q

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import auditing, policy
from apps.core.auditing import checks
from apps.core.errors import Forbidden, NotFound
from apps.core.identity import Actor
from apps.core.operations import all_operations, ingest, operation, registry
from apps.core.policy import rules
from apps.core.testing import Cast
from apps.projects import actions
from apps.projects.models import Project

#: The package exports a function of the module's name.
action_registry = importlib.import_module("apps.core.auditing.actions")


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares vanishes with it."""
    monkeypatch.setattr(registry, "_operations", dict(registry._operations))
    monkeypatch.setattr(rules, "_rules", dict(rules._rules))
    monkeypatch.setattr(action_registry, "_actions", dict(action_registry._actions))


def rename(events: int = 1, *, fails: bool = False) -> Callable[..., Project]:
    @operation("projects.test_rename", permission="projects.change_project", on="project")
    def test_rename(*, actor: Actor, project: Project, name: str) -> Project:
        project = Project.objects.select_for_update().get(pk=project.pk)
        changes = project.change(name=name)
        for _number in range(events):
            auditing.record(actor, actions.CHANGED, project, project_id=project.pk, changes=changes)
        if fails:
            raise ZeroDivisionError
        return project

    return test_rename


def test_an_operation_writes_its_change_and_exactly_one_event(cast: Cast) -> None:
    actor, project = cast.owner.actor, cast.sample("project")
    before = project.name
    rename()(actor=actor, project=project, name="New name")
    project.refresh_from_db()
    event = AuditEvent.objects.get(action="project.changed", entity_id=str(project.pk))
    assert (project.name, project.version) == ("New name", 2)
    (shown,) = readable([event])
    assert (shown.before, shown.after) == ({"name": before}, {"name": "New name"})
    assert (event.actor_id, event.organization_id, event.project_id) == (
        cast.owner.user.pk,
        project.organization_id,
        project.pk,
    )
    assert (event.request_id, event.via, event.actor_role) == (actor.request_id, "session", "engineer_i")


@pytest.mark.parametrize("events", [0, 2])
def test_an_operation_that_writes_none_or_two_events_is_undone(cast: Cast, events: int) -> None:
    project = cast.sample("project")
    with pytest.raises(RuntimeError, match=f"wrote {events} audit events"):
        rename(events)(actor=cast.owner.actor, project=project, name="New name")
    project.refresh_from_db()
    assert project.name != "New name"
    assert not AuditEvent.objects.filter(action="project.changed").exists()


def test_a_failing_operation_leaves_neither_change_nor_event(cast: Cast) -> None:
    project = cast.sample("project")
    with pytest.raises(ZeroDivisionError):
        rename(fails=True)(actor=cast.owner.actor, project=project, name="New name")
    project.refresh_from_db()
    assert project.name != "New name"
    assert not AuditEvent.objects.filter(action="project.changed").exists()


def test_inner_operations_become_children_of_the_outermost_event(cast: Cast) -> None:
    inner = rename()

    @operation("projects.test_middle")
    def middle(*, actor: Actor, project: Project) -> None:
        inner(actor=actor, project=project, name="Inner")
        auditing.record(actor, actions.RESTORED, project)

    @operation("projects.test_outer")
    def outer(*, actor: Actor, project: Project) -> None:
        middle(actor=actor, project=project)
        inner(actor=actor, project=project, name="Last")
        auditing.record(actor, actions.TRASHED, project)

    cast.owner, cast.sample("project")
    outer(actor=cast.owner.actor, project=cast.sample("project"))
    events = AuditEvent.objects.filter(entity_type="projects.project")
    top = events.get(parent_id=None)
    assert top.action == actions.TRASHED
    below = events.get(action=actions.RESTORED)
    assert below.parent_id == top.pk
    assert sorted(map(str, events.filter(action=actions.CHANGED).values_list("parent_id", flat=True))) == sorted(
        map(str, [top.pk, below.pk])
    )


def test_an_inner_operation_that_fails_and_is_caught_leaves_no_event(cast: Cast) -> None:
    inner = rename(fails=True)

    @operation("projects.test_outer")
    def outer(*, actor: Actor, project: Project) -> None:
        with pytest.raises(ZeroDivisionError):
            inner(actor=actor, project=project, name="Inner")
        auditing.record(actor, actions.TRASHED, project)

    project = cast.sample("project")
    outer(actor=cast.owner.actor, project=project)
    assert list(AuditEvent.objects.filter(entity_id=str(project.pk)).values_list("action", flat=True)) == [
        actions.TRASHED
    ]


def test_the_policy_is_asked_before_the_function_runs(cast: Cast) -> None:
    ran: list[Any] = []
    policy.rule("projects.test_project", on="projects.Project", needs="somebody else")(lambda actor: Q(pk__in=()))

    @operation("projects.test_guarded", permission="projects.test_project", on="project")
    def guarded(*, actor: Actor, project: Project) -> None:
        ran.append(project)

    with pytest.raises(Forbidden):
        guarded(actor=cast.owner.actor, project=cast.sample("project"))
    with pytest.raises(NotFound):
        guarded(actor=cast.stranger.actor, project=cast.sample("project"))
    assert not ran


def test_a_write_that_hides_the_row_from_its_writer_is_undone(cast: Cast) -> None:
    """A member who leaves by it, say: rights are asked again inside the transaction."""

    def leave(name: str, *, hides: bool) -> Callable[..., Project]:
        @operation(name, permission="projects.change_project", on="project", hides=hides)
        def test_leave(*, actor: Actor, project: Project) -> Project:
            project.memberships.filter(user=actor.user).delete()
            auditing.record(actor, actions.CHANGED, project, project_id=project.pk)
            return project

        return test_leave

    assert cast.owner
    project = cast.sample("project")
    members = project.memberships
    refused, meant = leave("projects.test_leave", hides=False), leave("projects.test_leave_meant", hides=True)
    with pytest.raises(Forbidden) as caught:
        refused(actor=cast.owner.actor, project=project)
    assert caught.value.code == "would_be_hidden"
    assert members.filter(user=cast.owner.user).exists()
    assert not AuditEvent.objects.filter(action="project.changed", entity_id=str(project.pk)).exists()
    meant(actor=cast.owner.actor, project=project)
    assert not members.filter(user=cast.owner.user).exists()


def test_a_row_out_of_a_keys_scopes_is_not_hidden_by_the_change(cast: Cast) -> None:
    actor = replace(cast.owner.actor, scopes=frozenset({"projects.change_project"}))
    assert rename()(actor=actor, project=cast.sample("project"), name="New name").name == "New name"


def test_an_operation_takes_keywords_and_an_actor(cast: Cast) -> None:
    for arguments in ({}, {"actor": None}, {"actor": cast.owner.user}):
        with pytest.raises(TypeError, match="and an actor among them"):
            rename_once(cast)(project=cast.sample("project"), name="x", **arguments)


def rename_once(cast: Cast) -> Callable[..., Project]:
    registry._operations.pop("projects.test_rename", None)
    return rename()


def test_an_operation_has_one_name_and_both_or_neither_of_permission_and_object() -> None:
    rename()
    with pytest.raises(ValueError, match="already"):
        rename()
    with pytest.raises(ValueError, match="go together"):
        operation("projects.test_half", permission="projects.change_project")


def test_recording_outside_an_operation_is_refused(cast: Cast) -> None:
    with pytest.raises(RuntimeError, match="outside an operation"):
        auditing.record(cast.owner.actor, actions.CHANGED, cast.sample("project"))


def test_recording_an_unregistered_action_is_refused(cast: Cast) -> None:
    @operation("projects.test_unregistered")
    def unregistered(*, actor: Actor) -> None:
        auditing.record(actor, "project.exploded", None)

    with pytest.raises(KeyError):
        unregistered(actor=cast.owner.actor)


def test_an_ingest_commits_or_not_as_one_and_writes_no_event(cast: Cast) -> None:
    project = cast.sample("project")

    @ingest("projects.test_ingest")
    def note(*, fails: bool) -> None:
        Project.objects.filter(pk=project.pk).update(description="noted")
        if fails:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        note(fails=True)
    project.refresh_from_db()
    assert project.description == ""
    note(fails=False)
    project.refresh_from_db()
    assert project.description == "noted"
    assert not AuditEvent.objects.filter(entity_id=str(project.pk)).exists()


def test_action_codes_are_registered_once_and_checked_for_form() -> None:
    assert checks.actions_are_sound(None) == []
    auditing.register_action("BadCode", "label", "sentence")
    with pytest.raises(ValueError, match="registered already"):
        auditing.register_action("BadCode", "label", "sentence")
    assert [error.id for error in checks.actions_are_sound(None)] == ["core.E003"]


def test_every_sentence_can_be_filled_in() -> None:
    class Anything(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return "…"

    for action in auditing.actions():
        assert str(action.label)
        assert "%(" not in str(action.sentence) % Anything()


def test_operations_are_named_after_their_app_and_their_rules_exist() -> None:
    for found in all_operations():
        app, _dot, name = found.name.partition(".")
        module = found.function.__wrapped__.__module__  # type: ignore[attr-defined]
        assert module.startswith(f"apps.{app}."), found.name
        assert name
        if found.permission:
            policy.rule_of(found.permission)
