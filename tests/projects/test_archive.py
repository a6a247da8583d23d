"""The archive shows and changes nothing; transfer moves ownership; both through every door."""

from typing import Any

import pytest

from apps.core.errors import Conflict, Forbidden, Invalid
from apps.core.identity import Role
from apps.core.testing import Cast, PermissionMatrix
from apps.jobs.models import Job
from apps.projects import services
from apps.projects.models import Project, ProjectMembership
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectMembershipFactory


def heir(cast: Cast) -> dict[str, str]:
    return {"user_id": str(cast.viewer.user.pk)}


class TestArchiveAndTransfer(PermissionMatrix):
    rest = """
                                         owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /projects/{project}/archive    200    403     403     404     200      =      404    404       401        200
    POST  /projects/{project}/unarchive  409    403     403     404     409      =      404    404       401        409
    POST  /projects/{project}/transfer   200    403     403     404     200      =      404    404       401        200
    """
    portal = """
                                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /projects/{project}/archive/    302    403     403     404     302      =      404    404       302        302
    POST  /projects/{project}/unarchive/  302    403     403     404     302      =      404    404       302        302
    POST  /projects/{project}/transfer/   302    403     403     404     302      =      404    404       302        302
    GET   /projects/?archived=1           200    =       =       =       =        =      =      =         302        200
    """
    bodies = {
        "POST /projects/{project}/transfer": heir,
        "POST /projects/{project}/transfer/": lambda cast: {"user": str(cast.viewer.user.pk)},
    }


def archived(cast: Cast) -> Project:
    return services.project_archive(actor=cast.owner.actor, project=cast.sample("project"))


def test_an_archived_project_is_seen_and_nothing_in_it_changes(cast: Cast) -> None:
    dataset, training, client = cast.sample("dataset"), cast.sample("training-job"), cast.owner.rest
    project = archived(cast)
    assert client.get(f"/projects/{project.pk}").json()["archived_at"]
    assert client.get(f"/datasets/{dataset.pk}").status_code == 200
    assert client.get(f"/training-jobs/{training.pk}").status_code == 200
    refused = [
        client.patch(f"/projects/{project.pk}", {"name": "Renamed"}),
        client.patch(f"/datasets/{dataset.pk}", {"name": "Renamed"}),
        client.post(f"/datasets/{dataset.pk}/uploads", {}),
        client.post("/datasets", {"project_id": str(project.pk), "name": "New"}),
        client.post("/experiments", {"project_id": str(project.pk), "name": "New"}),
        client.patch(f"/training-jobs/{training.pk}", {"name": "Renamed"}),
        client.post(f"/training-jobs/{training.pk}/start"),
    ]
    assert [response.status_code for response in refused] == [409, *[403] * 6]
    assert refused[0].json()["code"] == "project_archived"
    services.project_unarchive(actor=cast.owner.actor, project=project)
    assert client.patch(f"/datasets/{dataset.pk}", {"name": "Renamed"}).status_code == 200


def test_members_still_come_and_go_in_an_archive(cast: Cast) -> None:
    project = archived(cast)
    body = {"user_id": str(cast.member.user.pk), "role": "viewer"}
    assert cast.owner.rest.post(f"/projects/{project.pk}/members", body).status_code == 201
    own = ProjectMembership.objects.get(project=project, user=cast.editor.user)
    assert cast.editor.rest.delete(f"/projects/{project.pk}/members/{own.pk}").status_code == 204


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_project_is_not_archived_while_work_is_going_on(cast: Cast, state: str) -> None:
    job = cast.sample("job")
    Job.objects.filter(pk=job.pk).update(state=state)
    with pytest.raises(Conflict) as caught:
        archived(cast)
    assert caught.value.code == "project_busy"
    assert Project.objects.get(pk=cast.sample("project").pk).archived_at is None


def test_lists_show_the_archive_apart(cast: Cast) -> None:
    project, client = archived(cast), cast.owner
    found = {wanted: client.rest.get(f"/projects?archived={wanted}").json()["results"] for wanted in ("true", "false")}
    assert [row["id"] for row in found["true"]] == [str(project.pk)]
    assert found["false"] == []
    assert project.name not in client.portal.get("/projects/").content.decode()
    assert project.name in client.portal.get("/projects/?archived=1").content.decode()


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__email", "role"))


def test_who_owned_the_project_stays_as_an_editor(cast: Cast) -> None:
    project, second = cast.sample("project"), ProjectMembershipFactory(project=cast.sample("project"), role="owner")
    cast.viewer, cast.editor  # noqa: B018 - made for the roles below
    services.project_transfer(actor=cast.owner.actor, project=project, user=cast.viewer.user)
    found = roles(project)
    assert found[cast.viewer.user.email] == found[second.user.email] == "owner"
    assert found[cast.owner.user.email] == "editor"
    assert cast.viewer.user in project.group.user_set.all()
    # Somebody who owns nothing of it takes it from everybody.
    services.project_transfer(actor=cast.admin.actor, project=project, user=cast.member.user)
    assert {email for email, role in roles(project).items() if role == "owner"} == {cast.member.user.email}


def test_a_project_is_handed_to_nobody_outside_nor_to_a_guest_who_owns_one(cast: Cast) -> None:
    project, before = cast.sample("project"), roles(cast.sample("project"))
    with pytest.raises(Invalid):
        services.project_transfer(actor=cast.owner.actor, project=project, user=cast.stranger.user)
    services.project_create(actor=cast.guest.actor, organization=project.organization, name="Own")
    with pytest.raises(Forbidden) as caught:
        services.project_transfer(actor=cast.owner.actor, project=project, user=cast.guest.user)
    assert caught.value.code == "guest_project_limit"
    body: dict[str, Any] = {"user_id": str(MembershipFactory(role=Role.ADMIN).user.pk)}
    assert cast.owner.rest.post(f"/projects/{project.pk}/transfer", body).status_code == 400
    assert {**before, cast.owner.user.email: "owner"} == roles(project)
