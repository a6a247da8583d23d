"""Who may do what with projects, through every door."""

from typing import Any

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona
from tests.factories.organizations import MembershipFactory

pytestmark = pytest.mark.world(*Persona)


def new_member(cast: Cast) -> dict[str, Any]:
    user = MembershipFactory(organization=cast.sample("organization")).user
    return {"user_id": str(user.pk), "role": "viewer"}


INLINES = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


class TestProjects(PermissionMatrix):
    rest = """
                                                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /projects                                     200    =       =       =       =        =      =      =         401        200
    POST    /projects                                     201    =       =       =       =        =      =      =         401        404
    GET     /projects/{project}                           200    =       =       404     200      =      404    404       401        200
    PATCH   /projects/{project}                           200    403     403     404     200      =      404    404       401        200
    DELETE  /projects/{project}                           204    403     403     404     204      =      404    404       401        204
    POST    /projects/{trashed-project}/restore           200    404     404     404     200      =      404    404       401        200
    GET     /projects/{trashed-project}                   404    =       =       =       =        =      =      =         401        404
    POST    /projects/{project}/restore                   404    =       =       =       =        =      =      =         401        404
    GET     /projects/trash                               200    =       =       =       =        =      =      =         401        200
    POST    /projects/{trashed-project}/purge             204    404     404     404     204      =      404    404       401        204
    POST    /projects/{project}/purge                     404    =       =       =       =        =      =      =         401        404
    GET     /projects/{project}/members                   200    =       =       404     200      =      404    404       401        200
    POST    /projects/{project}/members                   201    403     403     404     201      =      404    404       401        201
    GET     /projects/{project}/members/{project-member}  200    =       =       404     200      =      404    404       401        200
    PATCH   /projects/{project}/members/{project-member}  200    403     403     404     200      =      404    404       401        200
    DELETE  /projects/{project}/members/{project-member}  204    403     403     404     204      =      404    404       401        204
    """
    bodies = {
        "POST /projects": {"name": "Another project"},
        "PATCH /projects/{project}": {"name": "Renamed"},
        "POST /projects/{trashed-project}/purge": lambda cast: {"name": cast.sample("trashed-project").name},
        "POST /projects/{project}/purge": lambda cast: {"name": cast.sample("project").name},
        "POST /projects/{project}/members": new_member,
        "PATCH /projects/{project}/members/{project-member}": {"role": "editor"},
        "POST /admin/projects/project/{project}/change/": {"name": "Renamed", "description": "", **INLINES},
        "POST /admin/projects/project/{project}/delete/": {"post": "yes", "reason": "a test"},
        "POST /admin/projects/projectmembership/{project-member}/change/": {"role": "editor", "reason": "a test"},
        "POST /admin/projects/projectmembership/{project-member}/delete/": {"post": "yes", "reason": "a test"},
    }
    admin = """
                                                                      owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/projects/project/                                    200    =       =       =       =        =      =      =         302        200
    GET   /admin/projects/project/{project}/change/                   200    =       =       302     200      =      302    302       302        200
    POST  /admin/projects/project/{project}/change/                   302    403     403     302     302      =      302    302       302        302
    POST  /admin/projects/project/{project}/delete/                   302    403     403     302     302      =      302    302       302        302
    GET   /admin/projects/projectmembership/                          200    =       =       =       =        =      =      =         302        200
    GET   /admin/projects/projectmembership/{project-member}/change/  200    =       =       302     200      =      302    302       302        200
    POST  /admin/projects/projectmembership/{project-member}/change/  302    403     403     302     302      =      302    302       302        302
    POST  /admin/projects/projectmembership/{project-member}/delete/  302    403     403     302     302      =      302    302       302        302
    """


class TestProjectPages(PermissionMatrix):
    portal = """
                                                            owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /projects/                                        200    =       =       =       =        =      =      =         302        200
    GET   /projects/new/                                    200    =       =       =       =        =      =      =         302        404
    GET   /projects/trash/                                  200    =       =       =       =        =      =      =         302        200
    GET   /projects/{project}/                              200    =       =       404     200      =      404    404       302        200
    GET   /projects/{project}/members/                      200    =       =       404     200      =      404    404       302        200
    GET   /projects/{project}/settings/                     200    =       =       404     200      =      404    404       302        200
    POST  /projects/{project}/settings/                     302    403     403     404     302      =      404    404       302        302
    POST  /projects/{project}/trash/                        302    403     403     404     302      =      404    404       302        302
    GET   /projects/{trashed-project}/purge/                200    404     404     404     200      =      404    404       302        200
    POST  /projects/{trashed-project}/purge/                302    404     404     404     302      =      404    404       302        302
    POST  /projects/{project}/members/add/                  302    403     403     404     302      =      404    404       302        302
    POST  /projects/{project}/members/{project-member}/role/    302  403   403     404     302      =      404    404       302        302
    POST  /projects/{project}/members/{project-member}/remove/  302  403   403     404     302      =      404    404       302        302
    """
    bodies = {
        "POST /projects/{trashed-project}/purge/": lambda cast: {"name": cast.sample("trashed-project").name},
        "POST /projects/{project}/settings/": {"name": "Renamed", "description": ""},
        "POST /projects/{project}/members/add/": lambda cast: {
            "user": str(cast.member.user.pk),
            "role": "viewer",
        },
        "POST /projects/{project}/members/{project-member}/role/": {"role": "editor"},
    }
