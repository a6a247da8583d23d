"""What a refusal says: the role that would be enough, and who can give it. Generated from the registry of rules."""

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from apps.core import policy
from apps.core.errors import Conflict, Forbidden, NotFound
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, Persona, assert_constant_queries
from apps.datasets.models import Visibility
from apps.jobs.states import JobState
from apps.organizations import services
from apps.organizations.models import Membership, MembershipState
from apps.projects.models import Project, ProjectRole
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectMembershipFactory

pytestmark = pytest.mark.world("owner", "viewer", "admin", "manager", "guest", "stranger")

CHANGE = "projects.change_project"
BELOW = [Persona.OWNER, Persona.EDITOR, Persona.VIEWER, Persona.MEMBER, Persona.MANAGER, Persona.ADMIN, Persona.GUEST]
#: Permissions that no role in an organization gives, or that nobody can give at the time, with who has them.
OF_OTHERS = {
    "accounts.change_user": "the person themselves",
    "apikeys.change_apikey": "owner of the key",
    "departures.add_personerasure": "platform administrator",
    "departures.change_organizationdeletion": "administrator",
    "organizations.change_quota": "platform administrator",
    "datasets.read_dataset": "a version that a manager has made public",
    "datasets.add_serverfolder": "platform administrator",
    "datasets.change_serverfolder": "platform administrator",
    "datasets.delete_serverfolder": "platform administrator",
    "resources.change_node": "platform administrator",
}


def asked() -> list[str]:
    """Every permission that is no viewing, and none on what lies in the trash and is seen by nobody there."""
    return [name for name in policy.names() if ".view_" not in name and not policy.rule_of(name).trashed]


def staffed(cast: Cast) -> Cast:
    """The people who could give a role are there."""
    for persona in (Persona.OWNER, Persona.MANAGER, Persona.ADMIN):
        cast.person(persona)
    return cast


@pytest.mark.parametrize("permission", asked())
def test_every_refusal_names_a_role_that_is_enough_and_people_who_can_give_it(permission: str, cast: Cast) -> None:
    """Proved by giving the role: then the same is allowed."""
    row = staffed(cast).sample(policy.rule_of(permission).on)
    view = f"{row._meta.app_label}.view_{row._meta.model_name}"
    for persona in BELOW:
        person = cast.person(persona)
        if not policy.allows(person.actor, view, row) or policy.allows(person.actor, permission, row):
            continue
        with pytest.raises(Forbidden) as caught:
            policy.require(person.actor, permission, row)
        facts, hint = caught.value.params, str(caught.value.hint)
        assert facts["permission"] == permission
        assert facts["needs"], f"the rule of {permission} names no role"
        assert hint
        if permission in OF_OTHERS:
            assert (facts["needs"], facts["role"], facts["grantors"]) == (OF_OTHERS[permission], None, [])
            assert OF_OTHERS[permission] in hint
            continue
        role = Role(facts["role"])
        assert str(role.label).casefold() in hint.casefold()
        assert_named_people_can_give_it(cast, person.actor, row, role, facts["grantors"])
        membership = Membership.objects.get(user=person.user, organization=cast.sample("organization"))
        before = membership.role
        for tried in sorted(Role, key=lambda tried: tried.rank):
            if Role(before).rank < tried.rank <= role.rank:
                Membership.objects.filter(pk=membership.pk).update(role=tried)
                assert policy.allows(person.actor, permission, row) == (tried == role), (persona, tried)
        Membership.objects.filter(pk=membership.pk).update(role=before)
    for stranger in (cast.stranger, cast.anonymous):
        assert not policy.allows(stranger.actor, permission, row)
    if policy.allows(cast.stranger.actor, view, row):
        return
    with pytest.raises(NotFound):
        policy.require(cast.stranger.actor, permission, row)


def assert_named_people_can_give_it(cast: Cast, actor: Actor, row: Any, role: Role, names: list[str]) -> None:
    assert len(names) <= 3
    for name in names:
        giver = next(person for person in cast.made() if getattr(person, "name", "") == name)
        own = Membership.objects.get(user=giver, organization=cast.sample("organization"))
        assert own.role in {Role.ADMIN, Role.MANAGER} or giver == cast.owner.user
        assert giver.pk != actor.user_id
    if actor.memberships[cast.sample("organization").pk] != Role.GUEST:
        assert names, "somebody is there whom the person may see"


def test_the_answer_of_rest_and_the_page_name_role_and_people(cast: Cast) -> None:
    project = staffed(cast).sample("project")
    answer = cast.viewer.rest.patch(f"/projects/{project.pk}", {"name": "Mine"})
    problem = answer.json()
    owner, manager, admin = cast.owner.user.name, cast.manager.user.name, cast.admin.user.name
    assert answer.status_code == 403
    assert problem["params"] == {
        "permission": CHANGE,
        "needs": "owner of the project",
        "role": "manager",
        "grantors": [owner, admin, manager],
    }
    sentence = (
        f"Needed: owner of the project. Or in the organization: Manager. Who can give it: {owner}, {admin}, {manager}."
    )
    assert problem["hint"] == sentence
    page = cast.viewer.portal.post(f"/projects/{project.pk}/settings/", {"name": "Mine"})
    assert page.status_code == 403
    assert sentence in page.content.decode()


def test_a_hidden_object_stays_not_found_and_names_nobody(cast: Cast) -> None:
    project = staffed(cast).sample("project")
    for person in (cast.stranger, cast.member, cast.guest):
        answer = person.rest.patch(f"/projects/{project.pk}", {"name": "Mine"})
        assert answer.status_code == 404
        assert "params" not in answer.json()
        assert cast.owner.user.name not in answer.content.decode()


def test_a_guest_is_told_of_nobody_beyond_the_projects_they_are_in(cast: Cast) -> None:
    """Guests see no members of the organization."""
    staffed(cast)
    ProjectMembershipFactory(project=cast.sample("project"), user=cast.guest.user, role=ProjectRole.VIEWER)
    lack = policy.lack_of(cast.guest.actor, CHANGE, cast.sample("project"))
    assert lack.grantors == (cast.owner.user.name,)
    lack = policy.lack_of(cast.guest.actor, "organizations.add_membership", cast.sample("organization"))
    assert (lack.role, lack.grantors) == (Role.MANAGER, ())


def test_people_of_another_organization_of_ones_own_are_not_named(cast: Cast) -> None:
    """Whoever belongs to two is told of those who answer for the object."""
    staffed(cast)
    both = MembershipFactory(organization=cast.sample("foreign-organization"), user=cast.viewer.user)
    assert cast.stranger.user.name not in policy.lack_of(cast.viewer.actor, CHANGE, cast.sample("project")).grantors
    there = policy.lack_of(cast.viewer.actor, "organizations.add_membership", both.organization)
    assert there.grantors == (cast.stranger.user.name,)


def test_who_cannot_give_it_any_more_is_not_named(cast: Cast) -> None:
    project = staffed(cast).sample("project")
    Membership.objects.filter(user=cast.owner.user).update(state=MembershipState.SUSPENDED)
    Membership.objects.filter(user=cast.manager.user).update(role=Role.ENGINEER_II)
    type(cast.admin.user).objects.filter(pk=cast.admin.user.pk).update(is_active=False)
    assert policy.lack_of(cast.viewer.actor, CHANGE, project).grantors == ()


def test_managers_are_sent_to_administrators_for_what_managers_cannot_give(cast: Cast) -> None:
    organization = staffed(cast).sample("organization")
    lack = policy.lack_of(cast.manager.actor, "organizations.change_organization", organization)
    assert (lack.role, lack.grantors) == (Role.ADMIN, (cast.admin.user.name,))
    assert lack.text == f"Needed: administrator. Who can give it: {cast.admin.user.name}."
    with pytest.raises(Forbidden) as caught:
        services.membership_change_role(
            actor=cast.manager.actor, membership=cast.sample("membership"), role=Role.MANAGER
        )
    assert caught.value.code == "role_above_own"
    assert caught.value.params["grantors"] == [cast.admin.user.name]


def test_a_guest_who_edits_a_project_lacks_a_role_in_the_organization(cast: Cast) -> None:
    """The project's owner cannot give that."""
    staffed(cast)
    ProjectMembershipFactory(project=cast.sample("project"), user=cast.guest.user, role=ProjectRole.EDITOR)
    lack = policy.lack_of(cast.guest.actor, "datasets.add_dataset", cast.sample("project"))
    assert (lack.role, lack.text) == (Role.ENGINEER_I, "Needed in the organization: Engineer I.")


def test_what_the_archive_forbids_is_not_said_to_lack_a_role(cast: Cast) -> None:
    project = staffed(cast).sample("project")
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    for person in (cast.owner, cast.viewer, cast.admin):
        answer = person.rest.post("/experiments", {"project_id": str(project.pk), "name": "More"})
        assert answer.status_code == 403, answer.json()
        assert answer.json()["hint"] == "The project is in the archive. An owner takes it out first."
        assert (answer.json()["params"]["needs"], answer.json()["params"]["role"]) == ("", None)


def test_what_waits_for_its_deletion_is_not_said_to_lack_a_role(cast: Cast) -> None:
    """Nobody can give one there; who held the right is told so, who did not is forbidden as before."""
    project = staffed(cast).sample("project")
    cast.sample("closing-organization")
    sentence = "The organization waits for its deletion: nothing in it changes any more."
    for person, status in ((cast.owner, 409), (cast.admin, 409), (cast.viewer, 403)):
        assert person.rest.patch(f"/projects/{project.pk}", {"name": "Late"}).status_code == status
        lack = policy.lack_of(person.actor, CHANGE, project)
        assert (lack.text, lack.role, lack.grantors) == (sentence, None, ())
    for permission in ("datasets.add_dataset", "experiments.add_experiment", "projects.add_projectmembership"):
        with pytest.raises(Conflict) as caught:
            policy.require(cast.owner.actor, permission, project)
        assert caught.value.code == "organization_closing", permission
    for name in ("training-job", "project-member", "connection"):
        row = cast.sample(name)
        with pytest.raises(Conflict):
            policy.require_open(cast.platform.actor, f"{row._meta.app_label}.change_{row._meta.model_name}", row)
    may = policy.lack_of(cast.manager.actor, "departures.add_organizationexport", project.organization)
    assert (may.role, may.text) == (Role.ADMIN, "Needed: administrator.")


def test_a_key_that_may_not_list_people_names_nobody(cast: Cast) -> None:
    staffed(cast)
    actor = replace(cast.viewer.actor, scopes=frozenset({"projects.view_project", CHANGE}))
    lack = policy.lack_of(actor, CHANGE, cast.sample("project"))
    assert (lack.role, lack.grantors) == (Role.MANAGER, ())
    assert actor.missed == set(), "it was no misuse of the key"


def test_a_refusal_costs_the_same_in_a_large_organization(cast: Cast) -> None:
    project = staffed(cast).sample("project")
    actor = cast.viewer.actor

    def more(count: int) -> None:
        for _number in range(count):
            member = MembershipFactory(organization=cast.sample("organization"), role=Role.MANAGER)
            ProjectMembershipFactory(project=project, user=member.user, role=ProjectRole.OWNER)

    more(3)  # three owners are enough: nobody else is asked for
    assert_constant_queries(lambda: policy.lack_of(actor, CHANGE, project), add_rows=more, at_most=16)


# --- Buttons


def test_every_rule_of_an_act_names_who_may() -> None:
    """Where something may not be done, `needs` is shown: a refusal would end with "Needed: ."."""
    unnamed = {name for name in policy.names() if ".view_" not in name and not str(policy.rule_of(name).needs)}
    assert unnamed == {"datasets.add_export"}, "whoever sees a dataset may take it along"


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/projects/{project}/", "New dataset"),
        ("/projects/{project}/", "New training"),
        ("/projects/{project}/members/", "Invite people"),
        ("/organization/members/", "Invite people"),
        ("/projects/{project}/settings/", "Put into the archive"),
        ("/projects/{project}/settings/", "Move to the trash"),
        ("/datasets/{dataset}/", "Upload"),
        ("/datasets/{dataset}/edit/", "Move to the trash"),
        ("/training/{training-job}/", "Start"),
        ("/organization/settings/", "Save|Change"),
    ],
)
def test_what_may_not_be_done_is_disabled_with_its_reason_and_offered_to_those_who_may(
    path: str, label: str, cast: Cast
) -> None:
    staffed(cast).sample("dataset").change(visibility=Visibility.PROJECT)
    offered, refused = (label.split("|") * 2)[:2]
    may = cast.admin if path.startswith("/organization/") else cast.owner
    page = cast.viewer.portal.get(cast.path(path)).content.decode()
    tag = next(found for found in tags(page, refused) if "aria-disabled" in found)
    assert "Needed: " in tag
    assert cast.owner.user.name in tag or cast.admin.user.name in tag
    page = may.portal.get(cast.path(path)).content.decode()
    assert tags(page, offered)
    assert not any("aria-disabled" in found for found in tags(page, offered))


def tags(page: str, label: str) -> list[str]:
    """Opening tags of the buttons and links whose words begin with this label."""
    found = []
    for part in page.replace("<a ", "<button ").split("<button ")[1:]:
        opening, _angle, rest = part.partition(">")
        words = rest.split("</button>")[0].split("</a>")[0]
        text = words.split("</svg>")[-1].split("<span")[0].strip()
        if text == label:
            found.append(opening)
    return found


def test_buttons_of_a_training_are_shown_in_the_states_in_which_they_make_sense(cast: Cast) -> None:
    training = staffed(cast).sample("queued-training")
    page = cast.viewer.portal.get(f"/training/{training.pk}/").content.decode()
    (stop,) = tags(page, "Stop")
    assert "hidden" not in stop
    assert set(stop.split('data-states="')[1].split('"')[0].split()) == {
        JobState.QUEUED,
        JobState.STARTING,
        JobState.RUNNING,
        JobState.UNREACHABLE,
    }
    (resume,) = tags(page, "Resume")
    assert resume.endswith(" hidden")
    assert "data-refused" not in cast.editor.portal.get(f"/training/{training.pk}/").content.decode()


def test_the_share_panel_says_who_could_share(cast: Cast) -> None:
    dataset = staffed(cast).sample("dataset")
    dataset.change(visibility=Visibility.PROJECT)
    page = cast.viewer.portal.get(f"/datasets/{dataset.pk}/sharing/").content.decode()
    assert cast.owner.user.name in next(tag for tag in tags(page, "Share") if "aria-disabled" in tag)


def test_the_limits_are_changed_by_the_platform_and_the_page_says_so(cast: Cast) -> None:
    (tag,) = tags(cast.admin.portal.get("/organization/").content.decode(), "Change the limits")
    assert "aria-disabled" in tag
    assert "Needed: platform administrator." in tag


def test_a_viewer_sees_the_settings_of_a_dataset_and_changes_nothing(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    dataset.change(visibility=Visibility.PROJECT)
    path = f"/datasets/{dataset.pk}/edit/"
    assert cast.viewer.portal.get(path).status_code == 200
    assert cast.viewer.portal.post(path, {"name": "Mine", "visibility": "project"}).status_code == 403
    assert cast.viewer.portal.post(f"/datasets/{dataset.pk}/trash/").status_code == 403
    dataset.refresh_from_db()
    assert (dataset.name != "Mine", dataset.deleted_at) == (True, None)
