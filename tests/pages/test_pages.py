"""Every page of the portal as each kind of person gets it."""

import re

import pytest

from apps.core.testing import PermissionMatrix, Persona
from tests.factories.jobs import JobFactory

pytestmark = pytest.mark.world(*Persona)

OPEN_PAGES = [
    "/account/login/",
    "/account/signup/",
    "/account/password/reset/",
    "/account/password/reset/done/",
    "/account/password/reset/key/done/",
    "/account/password/reset/key/1-none/",
    "/account/confirm-email/",
    "/account/confirm-email/none/",
    "/account/inactive/",
    "/no-such-page/",
]
SIGNED_IN_PAGES = [
    "/",
    "/profile/",
    "/account/password/change/",
    "/account/email/",
    "/account/logout/",
    "/account/reauthenticate/",
    "/projects/",
    "/projects/?q=nothing-of-this-name",
    "/projects/new/",
    "/projects/trash/",
    "/projects/{project}/",
    "/projects/{project}/members/",
    "/projects/{project}/settings/",
    "/resource-groups/",
    "/resource-groups/{resource-group}/",
    "/api-keys/",
    "/api-keys/?q=nothing-of-this-name",
    "/api-keys/new/",
    "/api-keys/endpoints/",
    "/api-keys/endpoints/?q=projects&days=7",
    "/api-keys/{api-key}/",
    "/audit/",
    "/audit/?action=project.created&since=2026-01-01",
]
ORGANIZATION_PAGES = ["/organization/", "/organization/members/", "/organization/settings/", "/invitations/"]
MANAGER_PAGES = ["/audit/organization/", "/audit/organization/?until=2026-01-01", "/resource-groups/new/"]


class TestWhoGetsWhat(PermissionMatrix):
    portal = """
                                                    owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /                                         200    =       =       =       =        =      =      =         302        200
    GET   /profile/                                 200    =       =       =       =        =      =      =         302        200
    GET   /projects/                                200    =       =       =       =        =      =      =         302        200
    GET   /projects/new/                            200    =       =       =       =        =      =      =         302        404
    POST  /projects/new/                            302    =       =       =       =        =      =      =         302        404
    GET   /projects/{project}/                      200    =       =       404     200      =      404    404       302        200
    GET   /projects/{project}/members/              200    =       =       404     200      =      404    404       302        200
    GET   /projects/{project}/settings/             200    =       =       404     200      =      404    404       302        200
    POST  /projects/{project}/settings/             302    403     403     404     302      =      404    404       302        302
    POST  /projects/{project}/trash/                302    403     403     404     302      =      404    404       302        302
    GET   /projects/trash/                          200    =       =       =       =        =      =      =         302        200
    POST  /projects/{project}/members/add/          422    403     403     404     422      =      404    404       302        422
    POST  /projects/{project}/members/{project-member}/role/    302  403  403  404  302     =      404    404       302        302
    POST  /projects/{project}/members/{project-member}/remove/  302  403  403  404  302     =      404    404       302        302
    GET   /resource-groups/                         200    =       =       =       =        =      =      =         302        200
    GET   /resource-groups/{resource-group}/        200    =       =       =       =        =      =      404       302        200
    GET   /resource-groups/nodes/{node}/telemetry/  200    =       =       =       =        =      =      404       302        200
    GET   /resource-groups/new/                     403    =       =       =       =        200    403    200       302        404
    POST  /resource-groups/new/                     403    =       =       =       =        302    403    302       302        404
    GET   /resource-groups/{resource-group}/edit/   403    =       =       =       =        200    403    404       302        200
    POST  /resource-groups/{resource-group}/edit/   403    =       =       =       =        302    403    404       302        302
    GET   /audit/                                   200    =       =       =       =        =      =      =         302        200
    GET   /audit/organization/                      403    =       =       =       200      =      403    200       302        200
    """
    bodies = {
        "POST /projects/new/": {"name": "Another project"},
        "POST /projects/{project}/settings/": {"name": "Renamed", "description": ""},
        "POST /projects/{project}/members/{project-member}/role/": {"role": "editor"},
        "POST /resource-groups/new/": {"name": "Another group"},
        "POST /resource-groups/{resource-group}/edit/": {"name": "Renamed"},
    }


@pytest.mark.parametrize("path", OPEN_PAGES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_open_page_is_in_the_language_asked_for_and_has_nothing_inline(path, language, cast, catalogues, page_of):
    page = page_of(cast.anonymous.portal.get(path, headers={"Accept-Language": language}))
    assert page.status == (404 if path == "/no-such-page/" else 200)
    assert page.language == language
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))


def shown(cast, path):
    """The page, with one row of everything that it may show."""
    job = JobFactory(project=cast.sample("project"), resource_group=cast.sample("resource-group"), state="failed")
    job.change(created_by=cast.admin.user, reason_code="out_of_memory", progress=0.5)
    cast.sample("node"), cast.sample("experiment"), cast.sample("run"), cast.sample("trashed-project")
    cast.sample("apikeys.EndpointUsage")
    return cast.admin.portal.get(cast.path(path))


@pytest.mark.parametrize("path", [*SIGNED_IN_PAGES, *MANAGER_PAGES])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_page_is_in_the_persons_language_and_has_nothing_inline(path, language, cast, catalogues, page_of):
    cast.admin.portal.cookies["django_language"] = language
    page = page_of(shown(cast, path))
    assert page.status == 200
    assert page.language == language
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("path", [*SIGNED_IN_PAGES, *ORGANIZATION_PAGES])
@pytest.mark.parametrize("persona", [Persona.VIEWER, Persona.GUEST, Persona.PLATFORM])
def test_no_button_says_that_a_role_is_needed_and_leaves_it_out(path, persona, cast):
    text = cast.person(persona).portal.get(cast.path(path)).content.decode()
    assert not re.search(r"(role|Needed|organization): *\.", text)


def test_organization_that_one_waits_for_is_named(cast, page_of):
    membership = cast.sample("pending-membership")
    client = cast.anonymous.portal
    client.force_login(membership.user, backend="apps.accounts.backends.AccountBackend")
    page = page_of(client.get("/"))
    assert page.status == 200
    assert any(str(membership.organization) in word for word in page.words)
    assert "/projects/new/" not in page.links


def test_who_has_no_organization_is_told_what_to_do(cast, page_of):
    from tests.factories.accounts import UserFactory  # import here: models load after Django's set-up

    user = UserFactory()
    client = cast.anonymous.portal
    client.force_login(user, backend="apps.accounts.backends.AccountBackend")
    page = page_of(client.get("/projects/"))
    assert page.status == 200
    assert any(user.email in word for word in page.words)
