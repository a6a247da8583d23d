"""Projects and their members in the admin (T4, T12)."""

import pytest
from django.contrib.messages import get_messages
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, Person, assert_constant_queries
from apps.projects.models import Project, ProjectMembership, ProjectRole
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectMembershipFactory

pytestmark = pytest.mark.django_db
PROJECTS = "/admin/projects/project/"
MEMBERS = "/admin/projects/projectmembership/"
WHY = "The owner is on leave"


def staff(person: Person) -> Person:
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    return person


def act(person: Person, action: str, *projects: Project, **given: str) -> tuple[int, list[str]]:
    body = {"action": action, "_selected_action": [str(project.pk) for project in projects], **given}
    with override("en"):
        answer = staff(person).portal.post(PROJECTS, body)
        return answer.status_code, [str(message) for message in get_messages(answer.wsgi_request)]


def reasons(action: str) -> list[object]:
    return [event.params.get("because") for event in readable(AuditEvent.objects.filter(action=action))]


def roles(project: Project) -> dict[object, str]:
    return dict(ProjectMembership.objects.filter(project=project).values_list("user_id", "role"))


def test_a_member_is_added_and_given_another_role_and_taken_out(cast: Cast) -> None:
    project, portal = cast.sample("project"), cast.platform.portal
    user = MembershipFactory(organization=project.organization).user
    added = portal.post(f"{MEMBERS}add/", {"project": str(project.pk), "user": str(user.pk), "role": "viewer"})
    assert added.status_code == 302
    row = ProjectMembership.objects.get(project=project, user=user)
    assert (row.role, project.group in user.groups.all()) == ("viewer", True)
    change = f"{MEMBERS}{row.pk}/change/"
    assert portal.post(change, {"role": "editor"}).status_code == 200, "it asks why"
    assert portal.post(change, {"role": "editor", "reason": WHY}).status_code == 302
    assert roles(project)[user.pk] == "editor"
    assert portal.post(f"{MEMBERS}{row.pk}/delete/", {"post": "yes", "reason": WHY}).status_code == 302
    assert (user.pk in roles(project), project.group in user.groups.all()) == (False, False)
    assert reasons("project.member_changed") == reasons("project.member_removed") == [WHY]


def test_who_belongs_to_another_organization_is_not_added(cast: Cast) -> None:
    project, before = cast.sample("project"), roles(cast.sample("project"))
    body = {"project": str(project.pk), "user": str(cast.stranger.user.pk), "role": "viewer"}
    answer = cast.platform.portal.post(f"{MEMBERS}add/", body)
    said = [str(message) for message in get_messages(answer.wsgi_request)]
    assert any("not a member of the organization" in line for line in said)
    assert roles(project) == before


def test_the_last_owner_keeps_the_role(cast: Cast) -> None:
    project = cast.sample("project")
    assert cast.owner.actor
    row = ProjectMembership.objects.get(project=project, role=ProjectRole.OWNER)
    cast.platform.portal.post(f"{MEMBERS}{row.pk}/change/", {"role": "viewer", "reason": WHY})
    cast.platform.portal.post(f"{MEMBERS}{row.pk}/delete/", {"post": "yes", "reason": WHY})
    assert roles(project)[cast.owner.user.pk] == "owner"


def test_members_of_a_project_are_one_click_away(cast: Cast) -> None:
    project = cast.sample("project")
    member = cast.sample("project-member")
    text = cast.platform.portal.get(f"{PROJECTS}{project.pk}/change/").content.decode()
    listed = f"{MEMBERS}?project__id__exact={project.pk}"
    assert f'href="{listed}"' in text
    assert f"{MEMBERS}{member.pk}/change/" in cast.platform.portal.get(listed).content.decode()


def test_the_list_of_members_costs_the_same_for_one_and_for_twenty(cast: Cast) -> None:
    project = cast.sample("project")
    ProjectMembershipFactory(project=project)
    assert_constant_queries(
        lambda: cast.platform.portal.get(MEMBERS),
        add_rows=lambda count: ProjectMembershipFactory.create_batch(count, project=project),
    )


def test_a_project_is_handed_over_for_a_reason(cast: Cast) -> None:
    project, member = cast.sample("project"), cast.member.user
    assert cast.owner.actor
    assert act(cast.platform, "transfer", project)[0] == 200, "it asks to whom, and why"
    asked = {"reason": WHY, "owner": cast.stranger.user.email}
    assert act(cast.platform, "transfer", project, **asked)[0] == 200, "nobody of the organization"
    assert roles(project)[cast.owner.user.pk] == "owner"
    status, said = act(cast.platform, "transfer", project, reason=WHY, owner=member.email.upper())
    assert (status, said) == (302, [f"Handed over: {project}."])
    assert (roles(project)[member.pk], roles(project)[cast.owner.user.pk]) == ("owner", "editor")
    assert reasons("project.transferred") == [WHY]


def test_who_may_only_look_hands_nothing_over(cast: Cast) -> None:
    project = cast.sample("project")
    assert cast.owner.actor
    _status, said = act(cast.viewer, "transfer", project, reason=WHY, owner=cast.viewer.user.email)
    assert any("You may see this" in line for line in said)
    act(cast.stranger, "transfer", project, reason=WHY, owner=cast.stranger.user.email)
    assert roles(project)[cast.owner.user.pk] == "owner"


def test_what_is_archived_and_taken_back_is_said_of_each(cast: Cast) -> None:
    project, other = cast.sample("project"), cast.sample("archived-project")
    _status, said = act(cast.platform, "archive", project, other)
    assert sorted(line.split(":")[0] for line in said) == sorted([str(other), "Archived"])
    assert f"Taken out of the archive: {project}." in act(cast.platform, "unarchive", project)[1]
    project.refresh_from_db()
    assert project.archived_at is None
