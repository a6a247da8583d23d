"""What projects promise beyond permissions: the guest's one, the last owner, the trash, names, lists."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from apps.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, assert_constant_queries
from apps.projects import services
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.projects.selectors import projects_for_choice
from tests.factories.datasets import DatasetFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory


def at_once(*calls: Any) -> list[str]:
    """Runs the calls side by side; returns the codes of those that were refused, or the name of what broke."""
    barrier = threading.Barrier(len(calls))
    refused: list[str] = []

    def run(call: Any) -> None:
        try:
            barrier.wait(10)
            call()
        except DomainError as error:
            refused.append(error.code)
        except Exception as error:  # noqa: BLE001 - whatever broke in a thread must reach the test
            refused.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return refused


# --- Creating


def test_who_creates_a_project_owns_it_and_is_in_its_group(cast: Cast) -> None:
    response = cast.member.rest.post("/projects", {"name": "  Padded name ", "description": "Why"})
    project = Project.objects.get(pk=response.json()["id"])
    assert (project.name, project.organization_id) == ("Padded name", cast.member.organization_id)
    assert project.memberships.get().role == ProjectRole.OWNER
    assert cast.member.user in project.group.user_set.all()
    assert response["ETag"] == '"1"'


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " "}, {"name": "x" * 121}, {"name": "<b>"}, {"name": None}, {"name": ["a"]}]
)
def test_a_bad_project_is_refused_with_its_field_and_nothing_is_written(cast: Cast, body: dict[str, Any]) -> None:
    response = cast.member.rest.post("/projects", body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["name"]
    assert not Project.objects.exists()
    assert not Group.objects.exists()


def test_fields_that_are_not_ones_own_to_set_change_nothing(cast: Cast) -> None:
    project = cast.sample("project")
    body = {
        "name": "New",
        "organization_id": str(cast.sample("foreign-organization").pk),
        "version": 77,
        "deleted_at": None,
        "created_by": str(cast.viewer.user.pk),
    }
    response = cast.owner.rest.patch(f"/projects/{project.pk}", body)
    project.refresh_from_db()
    assert response.json()["organization_id"] == str(cast.owner.organization_id) == str(project.organization_id)
    assert (project.version, project.created_by) == (2, None)
    with pytest.raises(Invalid):
        services.project_change(actor=cast.owner.actor, project=project, organization_id="x")


def test_a_name_is_taken_once_per_organization_whatever_its_case(cast: Cast) -> None:
    project = cast.sample("project")
    for method, path in (
        ("post", "/projects"),
        ("patch", f"/projects/{ProjectFactory(organization=project.organization).pk}"),
    ):
        response = getattr(cast.admin.rest, method)(path, {"name": project.name.upper()})
        assert (response.status_code, response.json()["code"]) == (409, "name_taken")
        assert list(response.json()["errors"]) == ["name"]
    assert cast.stranger.rest.post("/projects", {"name": project.name}).status_code == 201


def test_that_a_name_is_taken_tells_nothing_else_of_what_is_hidden(cast: Cast) -> None:
    """Accepted, see docs/architecture/decisions.md: the name itself can be guessed, within one organization."""
    organization = cast.sample("organization")
    hidden = ProjectFactory(organization=organization, name="Project Phoenix", description="Not for guests")
    ProjectMembershipFactory(project=hidden, user=cast.owner.user, role=ProjectRole.OWNER)
    dataset = DatasetFactory(project=hidden, name="Phoenix faces", visibility="private")
    mine = cast.sample("project")
    refusals = []
    for client, row, path, body in (
        (cast.guest.rest, hidden, "/projects", {"name": "project phoenix"}),
        (cast.editor.rest, dataset, "/datasets", {"name": "phoenix FACES", "project_id": str(mine.pk)}),
    ):
        assert client.get(f"{path}/{row.pk}").status_code == 404
        answer = client.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
        refusals.append(answer.content.decode())
    facts = [hidden.pk, dataset.pk, hidden.name, dataset.name, hidden.description, cast.owner.user.name]
    assert not [fact for fact in facts for refusal in refusals if str(fact) in refusal]
    assert cast.stranger.rest.post("/projects", {"name": hidden.name}).status_code == 201, "nor to other organizations"


@pytest.mark.django_db(transaction=True)
def test_one_name_asked_for_at_once_is_given_once() -> None:
    membership = MembershipFactory(role=Role.ADMIN)
    create = [
        lambda: services.project_create(
            actor=Actor.of(membership.user), organization=membership.organization, name="Same"
        )
    ] * 4
    assert at_once(*create) == ["name_taken"] * 3
    assert Project.objects.count() == 1
    assert Group.objects.count() == 1


# --- Guests


def test_a_guest_owns_one_project_and_may_have_another_once_it_is_in_the_trash(cast: Cast) -> None:
    client = cast.guest.rest
    first = client.post("/projects", {"name": "First"}).json()
    second = client.post("/projects", {"name": "Second"})
    assert (second.status_code, second.json()["code"]) == (403, "guest_project_limit")
    assert second.json()["hint"]
    client.delete(f"/projects/{first['id']}")
    assert client.post("/projects", {"name": "Second"}).status_code == 201


def test_a_guest_gets_no_second_project_by_restoring(cast: Cast) -> None:
    client = cast.guest.rest
    first = client.post("/projects", {"name": "First"}).json()
    client.delete(f"/projects/{first['id']}")
    client.post("/projects", {"name": "Second"})
    response = client.post(f"/projects/{first['id']}/restore")
    assert (response.status_code, response.json()["code"]) == (403, "guest_project_limit")


@pytest.mark.parametrize("way", ["added", "changed", "restored by others"])
def test_a_guest_becomes_owner_of_a_second_project_in_no_other_way(cast: Cast, way: str) -> None:
    guest, project = cast.guest.user, cast.sample("project")
    owned = services.project_create(actor=cast.guest.actor, organization=project.organization, name="Own")
    with pytest.raises(Forbidden) as caught:
        if way == "added":
            services.member_add(actor=cast.owner.actor, project=project, user=guest, role=ProjectRole.OWNER)
        elif way == "changed":
            membership = ProjectMembershipFactory(project=project, user=guest)
            services.member_change(actor=cast.owner.actor, membership=membership, role=ProjectRole.OWNER)
        else:
            services.project_trash(actor=cast.guest.actor, project=owned)
            services.project_create(actor=cast.guest.actor, organization=project.organization, name="Other")
            services.project_restore(actor=cast.admin.actor, project=owned)
    assert caught.value.code == "guest_project_limit"
    assert guest.project_memberships.filter(role=ProjectRole.OWNER, project__deleted_at=None).count() == 1


def test_being_a_member_elsewhere_does_not_count_for_the_guests_limit(cast: Cast) -> None:
    ProjectMembershipFactory(project=cast.sample("project"), user=cast.guest.user, role=ProjectRole.EDITOR)
    assert cast.guest.rest.post("/projects", {"name": "Own"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_guest_who_asks_for_many_at_once_gets_one() -> None:
    membership = MembershipFactory(role=Role.GUEST)
    create = [
        lambda number=number: services.project_create(
            actor=Actor.of(membership.user), organization=membership.organization, name=f"Project {number}"
        )
        for number in range(4)
    ]
    assert at_once(*create) == ["guest_project_limit"] * 3
    assert Project.objects.count() == 1


# --- Members


def test_only_people_of_the_organization_become_members(cast: Cast) -> None:
    path = cast.path("/projects/{project}/members")
    foreign = cast.owner.rest.post(path, {"user_id": str(cast.stranger.user.pk), "role": "viewer"})
    assert foreign.status_code == 400
    with pytest.raises(Invalid) as caught:
        services.member_add(
            actor=cast.owner.actor, project=cast.sample("project"), user=cast.stranger.user, role=ProjectRole.VIEWER
        )
    assert caught.value.code == "not_in_organization"
    pending = cast.sample("pending-membership").user
    with pytest.raises(Invalid):
        services.member_add(
            actor=cast.owner.actor, project=cast.sample("project"), user=pending, role=ProjectRole.VIEWER
        )


def test_a_member_is_added_once_and_with_a_known_role(cast: Cast) -> None:
    path = cast.path("/projects/{project}/members")
    body = {"user_id": str(cast.member.user.pk), "role": "editor"}
    assert cast.owner.rest.post(path, {**body, "role": "emperor"}).status_code == 400
    assert cast.owner.rest.post(path, body).status_code == 201
    again = cast.owner.rest.post(path, body)
    assert (again.status_code, again.json()["code"]) == (409, "already_member")
    assert cast.member.user in cast.sample("project").group.user_set.all()


def test_a_member_of_another_project_is_not_reached_through_this_one(cast: Cast) -> None:
    other = ProjectMembershipFactory(
        project=ProjectFactory(organization=cast.sample("organization")), user=cast.member.user
    )
    path = cast.path("/projects/{project}/members/") + str(other.pk)
    for method in ("get", "patch", "delete"):
        assert getattr(cast.admin.rest, method)(path).status_code == 404
    assert ProjectMembership.objects.filter(pk=other.pk).exists()


def test_the_last_owner_can_neither_leave_nor_step_down(cast: Cast) -> None:
    owner = cast.owner.user
    membership = cast.sample("project").memberships.get(user=owner)
    path = cast.path("/projects/{project}/members/") + str(membership.pk)
    for response in (cast.owner.rest.delete(path), cast.admin.rest.patch(path, {"role": "viewer"})):
        assert (response.status_code, response.json()["code"]) == (409, "last_owner")
        assert response.json()["hint"]
    ProjectMembershipFactory(project=membership.project, user=cast.member.user, role=ProjectRole.OWNER)
    assert cast.owner.rest.delete(path).status_code == 204
    assert cast.owner.user not in membership.project.group.user_set.all()
    assert cast.owner.rest.get(cast.path("/projects/{project}")).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_leave_one() -> None:
    project = ProjectFactory()
    owners = [
        ProjectMembershipFactory(
            project=project, role=ProjectRole.OWNER, user=MembershipFactory(organization=project.organization).user
        )
        for _number in range(2)
    ]
    leave = [
        lambda found=found: services.member_remove(actor=Actor.of(found.user), membership=found) for found in owners
    ]
    assert at_once(*leave) == ["last_owner"]
    assert project.memberships.count() == 1


def test_everybody_may_leave(cast: Cast) -> None:
    viewer = cast.viewer.user
    membership = cast.sample("project").memberships.get(user=viewer)
    path = cast.path("/projects/{project}/members/") + str(membership.pk)
    assert cast.viewer.rest.delete(path).status_code == 204
    assert cast.viewer.rest.get(cast.path("/projects/{project}")).status_code == 404


# --- Trash


def test_a_trashed_project_is_gone_for_its_people_until_an_owner_restores_it(cast: Cast) -> None:
    path = cast.path("/projects/{project}")
    assert cast.owner.rest.delete(path).status_code == 204
    for person in (cast.owner, cast.viewer, cast.admin):
        assert person.rest.get(path).status_code == 404
        assert person.rest.get("/projects").json()["results"] == []
    assert cast.viewer.rest.post(f"{path}/restore").status_code == 404
    restored = cast.owner.rest.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["id"]) == (200, str(cast.sample("project").pk))
    assert cast.viewer.rest.get(path).status_code == 200


def test_a_project_does_not_come_back_under_a_name_taken_meanwhile(cast: Cast) -> None:
    project = cast.sample("project")
    services.project_trash(actor=cast.owner.actor, project=project)
    ProjectFactory(organization=project.organization, name=project.name.upper())
    response = cast.owner.rest.post(f"/projects/{project.pk}/restore")
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    project.refresh_from_db()
    assert project.deleted_at is not None


def test_a_trashed_project_takes_no_writes(cast: Cast) -> None:
    project = cast.sample("trashed-project")
    with pytest.raises(NotFound):
        services.project_change(actor=cast.owner.actor, project=project, name="x")
    with pytest.raises(NotFound):
        services.project_trash(actor=cast.owner.actor, project=project)


# --- Lists


def test_lists_and_choices_hold_what_one_may_see_or_fill(cast: Cast) -> None:
    shown = cast.sample("project")
    ProjectFactory(organization=cast.sample("organization"), name="Of others")
    cast.sample("trashed-project")
    for person in (cast.owner, cast.editor, cast.viewer):
        assert [row["id"] for row in person.rest.get("/projects").json()["results"]] == [str(shown.pk)]
    assert list(projects_for_choice(cast.editor.actor)) == [shown]
    assert list(projects_for_choice(cast.viewer.actor)) == []
    assert cast.member.rest.get("/projects").json()["results"] == []
    assert len(cast.manager.rest.get("/projects").json()["results"]) == 2


def test_search_takes_part_of_a_name_literally(cast: Cast) -> None:
    for name in ("100% cotton", "100 percent"):
        ProjectFactory(organization=cast.sample("organization"), name=name)
    found = cast.admin.rest.get("/projects?search=100%25").json()["results"]
    assert [row["name"] for row in found] == ["100% cotton"]


def test_a_list_costs_the_same_for_one_project_and_twenty(cast: Cast) -> None:
    def add_rows(count: int) -> None:
        for _number in range(count):
            project = ProjectFactory(organization=cast.sample("organization"), created_by=cast.owner.user)
            ProjectMembershipFactory(project=project, user=cast.owner.user)

    client = cast.admin.rest
    assert_constant_queries(lambda: client.get("/projects"), add_rows=add_rows, at_most=3)


def test_a_list_of_members_costs_the_same_for_one_and_twenty(cast: Cast) -> None:
    def add_rows(count: int) -> None:
        for _number in range(count):
            user = MembershipFactory(organization=cast.sample("organization")).user
            ProjectMembershipFactory(project=cast.sample("project"), user=user)

    client, path = cast.owner.rest, cast.path("/projects/{project}/members")
    assert_constant_queries(lambda: client.get(path), add_rows=add_rows, at_most=4)


def test_the_admins_list_costs_the_same_for_one_project_and_twenty(cast: Cast) -> None:
    def add_rows(count: int) -> None:
        for _number in range(count):
            ProjectFactory(organization=cast.sample("organization"), created_by=cast.owner.user)

    portal = cast.platform.portal
    assert_constant_queries(lambda: portal.get("/admin/projects/project/"), add_rows=add_rows, at_most=12)


def test_the_admin_writes_through_the_services_and_shows_their_errors(cast: Cast) -> None:
    project = cast.sample("project")
    portal = cast.platform.portal
    other = ProjectFactory(organization=project.organization)
    inlines = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    path = f"/admin/projects/project/{project.pk}/change/"
    assert portal.post(path, {"name": "By the admin", "description": "", **inlines}).status_code == 302
    project.refresh_from_db()
    assert (project.name, project.version) == ("By the admin", 2)
    taken = portal.post(path, {"name": other.name, "description": "", **inlines}, follow=True)
    assert "The organization has a project of this name." in taken.content.decode()
    portal.post(f"/admin/projects/project/{project.pk}/delete/", {"post": "yes", "reason": "a test"})
    project.refresh_from_db()
    assert project.deleted_at is not None, "deleting is moving to the trash"


def test_forbidden_errors_name_the_role_that_would_do(cast: Cast) -> None:
    with pytest.raises(Forbidden) as caught:
        services.project_trash(actor=cast.editor.actor, project=cast.sample("project"))
    assert "owner of the project" in str(caught.value.hint)
    with pytest.raises(Conflict):
        services.member_change(
            actor=cast.owner.actor,
            membership=cast.sample("project").memberships.get(user=cast.owner.user),
            role=ProjectRole.VIEWER,
        )


def test_the_admins_page_of_a_project_costs_the_same_for_one_member_and_for_twenty(cast: Cast) -> None:
    project = cast.sample("project")
    page = f"/admin/projects/project/{project.pk}/change/"
    assert_constant_queries(
        lambda: cast.platform.portal.get(page),
        add_rows=lambda count: ProjectMembershipFactory.create_batch(count, project=project),
    )
