"""Who exports, deletes and keeps an organization, and who reads that it is to be deleted."""

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona, assert_constant_queries
from apps.departures.models import OrganizationExport
from tests.factories.departures import OrganizationExportFactory

pytestmark = pytest.mark.world(*Persona)


def confirmed(cast: Cast) -> dict[str, str]:
    return {"name": str(cast.sample("organization")), "reason": "The company closes"}


class TestExports(PermissionMatrix):
    rest = """
                                                                              owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /organizations/{organization}/exports                               403    =       =       =       =        202    403    404       401        202
    GET   /organizations/{organization}/exports/{organization-export}         404    =       =       =       =        200    404    404       401        200
    GET   /organizations/{organization}/exports/{organization-export}/download 404   =       =       =       =        200    404    404       401        200
    """
    portal = """
                                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /organization/departure/        200    =       =       =       =        =      =      200       302        404
    POST  /organization/departure/export/ 403    =       =       =       =        302    403    302       302        404
    """
    admin = """
                                                                        owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/departures/organizationexport/                         200    =       =       =       =        =      =      200       302        200
    GET   /admin/departures/organizationexport/{organization-export}/change/ 302 =     =       =       =        200    302    302       302        200
    """


class TestDeletion(PermissionMatrix):
    rest = """
                                                      owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST    /organizations/{organization}/deletion    403    =       =       =       =        201    403    404       401        201
    """
    bodies = {
        "POST /organizations/{organization}/deletion": confirmed,
        "POST /organization/departure/delete/": confirmed,
    }
    portal = """
                                           owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /organization/departure/delete/  403    =       =       =       =        302    403    422       302        404
    POST  /organization/departure/keep/    302    =       =       =       =        =      =      302       302        404
    """


class TestClosing(PermissionMatrix):
    """While the grace runs: everybody sees, the administrators cancel, and nobody else changes anything."""

    rest = """
                                                              owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /organizations/{closing-organization}/deletion    200    =       =       =       =        =      =      404       401        200
    DELETE  /organizations/{closing-organization}/deletion    403    =       =       =       =        200    403    404       401        200
    POST    /organizations/{closing-organization}/deletion    403    =       =       =       =        409    403    404       401        409
    POST    /organizations/{closing-organization}/exports     403    =       =       =       =        202    403    404       401        202
    PATCH   /organizations/{closing-organization}             403    =       =       =       =        409    403    404       401        409
    GET     /projects/{project}                               200    200     200     404     200      200    404    404       401        200
    PATCH   /projects/{project}                               409    403     403     404     409      409    404    404       401        409
    DELETE  /projects/{project}                               409    403     403     404     409      409    404    404       401        409
    """
    bodies = {
        "POST /organizations/{closing-organization}/deletion": confirmed,
        "PATCH /organizations/{closing-organization}": {"division": "Late"},
        "PATCH /projects/{project}": {"name": "Late"},
    }
    portal = """
                                         owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /organization/departure/keep/  403    =       =       =       =        302    403    302       302        404
    """

    def test_every_persona_gets_what_the_table_says(self, line, cast) -> None:  # type: ignore[no-untyped-def]
        cast.sample("closing-organization")
        super().test_every_persona_gets_what_the_table_says(line, cast)


class TestErasures(PermissionMatrix):
    admin = """
                                              owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET  /admin/departures/personerasure/     403    =       =       =       =        =      =      403       302        200
    GET  /admin/departures/personerasure/add/ 403    =       =       =       =        =      =      403       302        200
    """


def test_a_list_of_exports_costs_the_same_however_long_it_is(cast: Cast) -> None:
    organization = cast.sample("organization")
    path = f"/organizations/{organization.pk}/exports"

    def more(count: int) -> None:
        OrganizationExportFactory.create_batch(count, organization=organization, requested_by=cast.admin.user)

    assert_constant_queries(lambda: cast.admin.rest.get(path), add_rows=more)
    OrganizationExport.objects.all().delete()
    # A page shows ten; the further ones cost nothing.
    assert_constant_queries(lambda: cast.admin.portal.get("/organization/departure/?cursor=x"), add_rows=more)
