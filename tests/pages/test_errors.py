"""Error pages as the real handlers draw them: in the person's language, without what is inside."""

import re

import pytest
from django.urls import path
from modelyard import errors, urls


def broken(request):
    raise RuntimeError("the password of the database is hunter2")


urlpatterns = [path("broken/", broken), *urls.urlpatterns]
handler400, handler403, handler404, handler500 = (
    errors.bad_request,
    errors.permission_denied,
    errors.page_not_found,
    errors.server_error,
)


@pytest.fixture(params=["en", "ko"])
def client(request, cast, catalogues):
    made = cast.viewer.portal
    made.cookies["django_language"] = request.param
    made.raise_request_exception = False
    made.language = request.param
    return made


@pytest.mark.urls(__name__)
def test_what_broke_is_not_told(client, page_of):
    page = page_of(client.get("/broken/"))
    assert (page.status, page.language, page.inline) == (500, client.language, [])
    assert "hunter2" not in page.text
    assert "RuntimeError" not in page.text


def test_missing_page_says_what_may_be_the_reason(client, page_of):
    page = page_of(client.get("/nowhere/"))
    assert (page.status, page.language, page.inline) == (404, client.language, [])
    assert "/" in page.links


def test_address_of_a_form_opened_as_a_page_says_what_it_is(client, cast, page_of):
    answer = client.get(cast.path("/projects/{project}/members/add/"))
    page = page_of(answer)
    assert (page.status, page.language, page.inline, answer["Allow"]) == (405, client.language, [], "POST")
    assert "/" in page.links


def test_language_is_chosen_on_the_page_that_had_the_form(cast):
    project, form = cast.path("/projects/{project}/members/"), cast.path("/projects/{project}/members/add/")
    owner = cast.owner.portal
    answer = owner.post(form, {"user": ""}, headers={"referer": f"http://testserver{project}"})
    assert answer.status_code == 422
    (back,) = set(re.findall(r'name="next" value="([^"]+)"', answer.content.decode()))
    chosen = owner.post("/i18n/set-language/", {"language": "ko", "next": back})
    assert owner.get(chosen["location"]).status_code == 200


def test_refusal_names_the_role_that_is_needed(client, cast, page_of):
    page = page_of(client.post(cast.path("/projects/{project}/settings/"), {"name": "Mine now"}))
    assert (page.status, page.language, page.inline) == (403, client.language, [])
    role = {"en": "owner of the project", "ko": "프로젝트 소유자"}[client.language]
    assert any(role in word for word in page.words)


def test_hidden_and_missing_things_look_the_same(client, cast):
    hidden = cast.member.portal.get(cast.path("/projects/{project}/"))
    missing = cast.member.portal.get("/projects/00000000-0000-7000-8000-000000000000/")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.content == missing.content


def test_form_without_its_token_says_that_it_expired(cast, page_of):
    client = cast.owner.portal
    client.handler.enforce_csrf_checks = True
    page = page_of(client.post("/projects/new/", {"name": "x"}))
    assert page.status == 403
    assert "This form has expired." in page.words


def test_the_admin_tells_who_is_not_on_its_staff_why(cast, client, page_of):
    page = page_of(client.get("/admin/", follow=True))
    assert (page.status, page.language, page.inline) == (403, client.language, [])
    assert cast.viewer.user.name in page.text
    assert {"/", "/account/logout/"} <= set(page.links)
    assert 'name="password"' not in page.text


def test_the_admin_asks_strangers_to_sign_in_and_lets_its_staff_in(cast):
    assert 'name="password"' in cast.anonymous.portal.get("/admin/", follow=True).content.decode()
    assert cast.platform.portal.get("/admin/login/?next=/admin/")["Location"] == "/admin/"
