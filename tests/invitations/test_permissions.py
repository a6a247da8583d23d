"""Who may invite to what, and who sees what was sent."""

from typing import Any

import pytest

from apps.core.errors import Forbidden
from apps.core.identity import Role
from apps.core.testing import Cast, PermissionMatrix, Persona
from apps.invitations import services
from apps.invitations.models import Invitation

pytestmark = pytest.mark.world(*Persona)


def to(kind: str, role: str) -> Any:
    """The body of an invitation to the sample of the kind."""
    return lambda cast: {
        "target_type": kind,
        "target_id": str(cast.sample(kind).pk),
        "email": "new@example.com",
        "role": role,
    }


def lines(cast: Cast) -> dict[str, Any]:
    target = {"target_type": "organization", "target_id": str(cast.sample("organization").pk)}
    return {**target, "role": "guest", "csv": "email\nnew@example.com"}


class TestInvitations(PermissionMatrix):
    rest = """
                                               owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /invitations                         200    =       =       =       =        =      =      =         401        200
    GET   /invitations/{invitation}            404    =       =       =       200      =      404    404       401        200
    POST  /invitations/{invitation}/resend     404    =       =       =       200      =      404    404       401        200
    POST  /invitations/{invitation}/cancel     404    =       =       =       200      =      404    404       401        200
    POST  /invitations                         403    =       =       =       201      =      403    404       401        201
    POST  /invitations/bulk                    403    =       =       =       200      =      403    404       401        200
    """
    bodies = {"POST /invitations": to("organization", "guest"), "POST /invitations/bulk": lines}


class TestInvitationsToProjects(PermissionMatrix):
    rest = """
                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /invitations    201    403     403     404     201      =      404    404       401        201
    """
    bodies = {"POST /invitations": to("project", "viewer")}


class TestInvitationsToDatasets(PermissionMatrix):
    rest = """
                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /invitations    201    403     403     404     201      =      404    404       401        201
    """
    bodies = {"POST /invitations": to("dataset", "use")}


class TestInvitationPages(PermissionMatrix):
    portal = """
                                                     owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /invitations/                              200    =       =       =       =        =      =      =         302        200
    GET   /invitations/new/                          403    =       =       =       200      =      403    200       302        404
    GET   /invitations/new/?type=project&id={project}  200  403     403     404     200      =      404    404       302        200
    POST  /invitations/{invitation}/resend/          404    =       =       =       302      =      404    404       302        302
    POST  /invitations/{invitation}/cancel/          404    =       =       =       302      =      404    404       302        302
    """
    admin = """
                                                        owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/invitations/invitation/                200    =       =       =       =        =      =      =         302        200
    GET   /admin/invitations/invitation/{invitation}/change/  302  =   =       =       200      =      302    302       302        200
    """


@pytest.mark.parametrize(
    ("persona", "role", "allowed"),
    [
        ("admin", Role.ADMIN, True),
        ("manager", Role.ADMIN, False),
        ("manager", Role.MANAGER, False),
        ("manager", Role.ENGINEER_II, True),
        ("platform", Role.ADMIN, True),
    ],
)
def test_managers_invite_below_their_own_role_and_only_admins_invite_admins(
    cast: Cast, persona: str, role: Role, allowed: bool
) -> None:
    arguments = {"target": cast.sample("organization"), "email": "new@example.com", "role": role}
    if allowed:
        services.invitation_create(actor=cast.person(persona).actor, **arguments)
        assert Invitation.objects.get().role == role
        return
    with pytest.raises(Forbidden) as caught:
        services.invitation_create(actor=cast.person(persona).actor, **arguments)
    assert caught.value.code == "role_above_own"
    assert not Invitation.objects.exists()


def test_a_guest_who_owns_a_project_invites_nobody_known_or_unknown(cast: Cast) -> None:
    project = cast.guest.rest.post("/projects", {"name": "Mine"}).json()["id"]
    for email in ("nobody@example.com", cast.member.user.email, cast.stranger.user.email):
        body = {"target_type": "project", "target_id": project, "email": email, "role": "viewer"}
        response = cast.guest.rest.post("/invitations", body)
        assert (response.status_code, response.json()["code"]) == (403, "guest_cannot_invite")


def test_an_owner_sees_the_invitations_to_the_own_project_only(cast: Cast) -> None:
    cast.sample("invitation")
    project = cast.sample("project")
    services.invitation_create(actor=cast.owner.actor, target=project, email="new@example.com", role="viewer")
    found = cast.owner.rest.get("/invitations").json()["results"]
    assert [(row["email"], row["target_name"]) for row in found] == [("new@example.com", project.name)]
    assert len(cast.admin.rest.get("/invitations").json()["results"]) == 2
    assert cast.editor.rest.get("/invitations").json()["results"] == []
