"""The registry of rules and the questions asked of it."""

from dataclasses import replace

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core import policy
from apps.core.entities import Trashable
from apps.core.errors import Forbidden, NotAuthenticated, NotFound
from apps.core.identity import Actor, Role
from apps.core.policy import checks, rules
from apps.core.testing import Cast
from apps.projects.models import Project
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory

HELD = (
    "projects.ProjectMembership",
    "datasets.Dataset",
    "datasets.Item",
    "datasets.Upload",
    "datasets.Snapshot",
    "datasets.IntegrityCheck",
    "datasets.Export",
    "datasets.DatasetUserShare",
    "datasets.DatasetGroupShare",
    "jobs.Job",
    "training.TrainingJob",
    "training.Checkpoint",
    "training.TrainingJobUserShare",
    "training.TrainingJobGroupShare",
    "evaluation.InferenceJob",
    "experiments.Experiment",
    "experiments.Run",
)
VIEW = "projects.view_project"
CHANGE = "projects.change_project"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules declared by the test vanish with it."""
    monkeypatch.setattr(rules, "_rules", dict(rules._rules))


def test_a_permission_has_one_rule(registry: None) -> None:
    policy.rule("projects.test_project", on="projects.Project")(lambda actor: Q())
    with pytest.raises(ValueError, match="has a rule already"):
        policy.rule("projects.test_project", on="projects.Project")(lambda actor: Q())


def test_a_permission_without_a_rule_is_an_error_and_not_a_no() -> None:
    with pytest.raises(LookupError, match=r"projects\.fly_project"):
        policy.condition(Actor.system("test"), "projects.fly_project")


def test_checks_find_rules_with_malformed_names_and_unknown_models(registry: None) -> None:
    assert checks.rules_are_sound(None) == []
    policy.rule("Projects.View", on="projects.Project")(lambda actor: Q())
    policy.rule("projects.view_ghost", on="projects.Ghost")(lambda actor: Q())
    assert [error.id for error in checks.rules_are_sound(None)] == ["core.E001", "core.E002"]


def test_nobody_asks_the_database_nothing(cast: Cast) -> None:
    cast.sample("project")
    with CaptureQueriesContext(connection) as captured:
        assert list(Project.objects.permitted(Actor.anonymous(), VIEW)) == []
    assert len(captured) == 0


@pytest.mark.parametrize("who", ["system", "platform"])
def test_the_portal_itself_and_platform_administrators_hold_every_permission(cast: Cast, who: str) -> None:
    actor = Actor.system("test") if who == "system" else cast.platform.actor
    project = cast.sample("project")
    for permission in (VIEW, CHANGE, "projects.delete_project"):
        policy.require(actor, permission, project)
    assert project in Project.objects.visible(actor)


def test_the_trash_is_out_of_everybodys_lists_and_only_restoring_is_about_it(cast: Cast) -> None:
    live, trashed = cast.sample("project"), cast.sample("trashed-project")
    for actor in (cast.platform.actor, cast.owner.actor, cast.admin.actor):
        assert set(Project.objects.visible(actor)) == {live}
        assert set(Project.objects.permitted(actor, CHANGE)) == {live}
        assert set(Project.objects.permitted(actor, "projects.restore_project")) == {trashed}
    assert {live, trashed} <= set(Project.objects.visible(Actor.system("test"))), "the portal sweeps and counts it"


def test_what_lies_in_a_trashed_project_is_in_the_trash_with_it_for_platform_administrators_too(cast: Cast) -> None:
    """And a list still costs one query."""
    rows = {label: cast.sample(label) for label in HELD}
    actors = (cast.platform.actor, cast.admin.actor)
    for label, row in rows.items():
        for actor in actors:
            assert policy.allows(actor, view_of(label), row), (label, actor)
    Project.objects.filter(pk=cast.sample("project").pk).update(deleted_at=timezone.now())
    for label, row in rows.items():
        for actor in actors:
            with CaptureQueriesContext(connection) as captured:
                assert row not in list(type(row)._default_manager.filter(policy.condition(actor, view_of(label)))), (
                    label
                )
            assert len(captured) == 1
        assert policy.allows(Actor.system("test"), view_of(label), row), "the portal goes on with what runs"


def test_every_model_that_hangs_on_one_that_can_be_trashed_says_so() -> None:
    ruled = {policy.rule_of(name).on for name in policy.names() if ".view_" in name}
    held = set(policy.containers())
    hanging = {
        label
        for label in ruled
        for field in apps.get_model(label)._meta.concrete_fields
        if field.is_relation
        and not field.null
        and (issubclass(field.related_model, Trashable) or field.related_model._meta.label in held)
    }
    assert hanging <= held
    assert held - hanging == {"training.Checkpoint"}, "it may have lost its job"
    assert held == set(HELD)


def view_of(label: str) -> str:
    return "{}.view_{}".format(*label.lower().split("."))


def test_an_inactive_platform_administrator_holds_nothing(cast: Cast) -> None:
    user = cast.platform.user
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert not policy.allows(Actor.of(user), VIEW, cast.sample("project"))
    assert not user.has_perm(VIEW)


def test_scopes_narrow_even_a_platform_administrator(cast: Cast) -> None:
    project = cast.sample("project")
    actor = replace(cast.platform.actor, scopes=frozenset({VIEW}))
    assert policy.allows(actor, VIEW, project)
    assert not policy.allows(actor, CHANGE, project)


def test_scopes_grant_nothing_that_the_person_does_not_hold(cast: Cast) -> None:
    actor = replace(cast.viewer.actor, scopes=frozenset({VIEW, CHANGE}))
    assert policy.allows(actor, VIEW, cast.sample("project"))
    assert not policy.allows(actor, CHANGE, cast.sample("project"))


def test_require_hides_what_may_not_be_seen(cast: Cast) -> None:
    for person in (cast.member, cast.guest, cast.stranger):
        for permission in (VIEW, CHANGE):
            with pytest.raises(NotFound):
                policy.require(person.actor, permission, cast.sample("project"))


def test_require_names_the_role_needed_for_what_may_be_seen(cast: Cast) -> None:
    with pytest.raises(Forbidden) as caught:
        policy.require(cast.viewer.actor, CHANGE, cast.sample("project"))
    assert caught.value.params == {
        "permission": CHANGE,
        "needs": "owner of the project",
        "role": "manager",
        "grantors": [],
    }
    assert "owner of the project" in str(caught.value.hint)


def test_require_asks_the_anonymous_to_sign_in(cast: Cast) -> None:
    with pytest.raises(NotAuthenticated):
        policy.require(Actor.anonymous(), VIEW, cast.sample("project"))


def test_a_permission_asked_of_the_wrong_model_is_a_programming_error(cast: Cast) -> None:
    with pytest.raises(TypeError, match="is asked of a Project"):
        policy.allows(cast.owner.actor, VIEW, cast.sample("organization"))
    with pytest.raises(TypeError, match=r"not on organizations\.Organization"):
        type(cast.sample("organization")).objects.permitted(cast.owner.actor, VIEW)


def test_permitted_rows_and_single_questions_agree_for_every_persona(cast: Cast) -> None:
    shown, hidden = cast.sample("project"), ProjectFactory(organization=cast.sample("organization"))
    for persona in ("owner", "editor", "viewer", "member", "manager", "admin", "guest", "stranger"):
        actor = cast.person(persona).actor
        for permission in policy.names():
            if policy.rule_of(permission).on != "projects.Project":
                continue
            rows = set(Project.objects.permitted(actor, permission))
            for project in (shown, hidden):
                assert policy.allows(actor, permission, project) == (project in rows), (persona, permission)


def test_who_lists_the_people_who_hold_a_permission(cast: Cast) -> None:
    people = [cast.owner, cast.editor, cast.viewer, cast.manager, cast.admin, cast.stranger, cast.member]
    project = cast.sample("project")
    assert set(policy.who(CHANGE, project)) == {people[0].user, people[3].user, people[4].user}
    assert set(policy.who(VIEW, project)) == {person.user for person in people[:5]}


def test_through_composes_a_parents_rule_in_one_query(cast: Cast) -> None:
    member = cast.sample("project-member")
    actor = cast.owner.actor
    with CaptureQueriesContext(connection) as captured:
        assert type(member).objects.filter(policy.through("project", actor, CHANGE), pk=member.pk).exists()
    assert len(captured) == 1


def test_get_visible_answers_not_found_for_hidden_absent_and_unreadable_keys(cast: Cast) -> None:
    project = cast.sample("project")
    assert Project.objects.get_visible(cast.viewer.actor, pk=project.pk) == project
    for actor, key in ((cast.stranger.actor, project.pk), (cast.viewer.actor, cast.viewer.user.pk)):
        with pytest.raises(NotFound):
            Project.objects.get_visible(actor, pk=key)
    for unreadable in ("x", None, "0" * 4000):
        with pytest.raises(NotFound):
            Project.objects.get_visible(cast.viewer.actor, pk=unreadable)


def test_has_perm_answers_from_the_policy_and_denies_without_an_actor(cast: Cast) -> None:
    project = cast.sample("project")
    fresh = type(cast.viewer.user)._default_manager.get(pk=cast.viewer.user.pk)
    assert not fresh.has_perm(VIEW, project)
    _actor = cast.viewer.actor
    viewer = cast.viewer.user
    assert viewer.has_perm(VIEW, project)
    assert not viewer.has_perm(CHANGE, project)
    assert viewer.has_perm(CHANGE), "without an object: could be held on some project"
    assert not viewer.has_perm("auth.change_group"), "no rule: platform administrators only"


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["pending", "suspended"])
def test_a_membership_that_is_not_active_gives_no_right(state: str) -> None:
    membership = MembershipFactory(role=Role.ADMIN, state=state)
    project = ProjectFactory(organization=membership.organization)
    actor = Actor.of(membership.user)
    assert not actor.memberships
    assert not policy.allows(actor, VIEW, project)
    assert not policy.allows(actor, "organizations.view_organization", membership.organization)


@pytest.mark.django_db
def test_a_narrowed_actor_loses_every_other_membership() -> None:
    here = MembershipFactory(role=Role.ADMIN)
    there = MembershipFactory(user=here.user, role=Role.ADMIN)
    actor = Actor.of(here.user, organization_id=here.organization_id, narrow=True)
    assert policy.allows(actor, "organizations.change_organization", here.organization)
    assert not policy.allows(actor, "organizations.change_organization", there.organization)
