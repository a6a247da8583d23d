"""The pages of API keys and endpoints, and the admin: what is shown, and what is never."""

import re
from typing import Any

import pytest

from apps.apikeys.models import ApiKey
from apps.core.testing import Cast, RestClient, assert_constant_queries
from tests.factories.apikeys import key_of

SECRET = re.compile(r"myk_[0-9A-Za-z]{46}")


def made(cast: Cast, **data: Any) -> Any:
    return cast.owner.portal.post("/api-keys/new/", {"name": "nightly", "what": "read", "days": "30", **data})


def test_the_secret_is_shown_once_and_kept_nowhere_in_the_portal(cast: Cast) -> None:
    project = cast.sample("project")
    response = made(cast, projects=[str(project.pk)], calls_per_minute="60")
    assert response.status_code == 201 and "no-store" in response["Cache-Control"]
    secret = SECRET.search(response.content.decode())[0]  # type: ignore[index]
    key = ApiKey.objects.get()
    assert RestClient(secret).get(f"/projects/{project.pk}").status_code == 200
    assert (key.calls_per_minute, key.limited_to_projects, list(key.projects.all())) == (60, True, [project])
    assert all(".view_" in scope for scope in key.scopes)
    assert not any(secret[12:] in str(value) for value in cast.owner.portal.session.values())
    for path in ("/api-keys/", f"/api-keys/{key.pk}/", f"/api-keys/{key.pk}/settings/"):
        text = cast.owner.portal.get(path).content.decode()
        assert secret[:12] in text or path.endswith("settings/")
        assert secret[12:] not in text


def test_permissions_are_chosen_one_by_one(cast: Cast) -> None:
    assert made(cast, what="chosen").status_code == 422
    assert made(cast, what="chosen", scopes=["resources.change_node"]).status_code == 422
    assert made(cast, what="chosen", scopes=["datasets.add_dataset"]).status_code == 201
    assert "datasets.add_dataset" in ApiKey.objects.get().scopes
    text = made(cast, what="chosen", scopes=["datasets.add_dataset"]).content.decode()
    assert "You have an API key of this name." in text
    assert re.search(r'value="datasets.add_dataset" checked', text), "nothing typed is lost"
    assert made(cast, name="all", what="all").status_code == 201
    assert "datasets.add_dataset" in ApiKey.objects.get(name="all").scopes


@pytest.mark.parametrize("data", [{"name": "<b>"}, {"days": "9999"}, {"what": "root"}, {"calls_per_minute": "0"}])
def test_bad_input_is_an_error_of_the_form(cast: Cast, data: dict[str, str]) -> None:
    assert made(cast, **data).status_code == 422
    assert ApiKey.objects.count() == 0


def test_rotating_shows_the_new_secret_and_revoking_ends_it(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    response = cast.owner.portal.post(f"/api-keys/{key.pk}/rotate/", {"overlap_hours": "0"})
    secret = SECRET.search(response.content.decode())[0]  # type: ignore[index]
    assert "no-store" in response["Cache-Control"]
    client = RestClient(secret)
    assert client.get("/me").status_code == 200
    assert cast.owner.portal.post(f"/api-keys/{key.pk}/rotate/", {"overlap_hours": "x"}).status_code == 302
    assert cast.admin.portal.post(f"/api-keys/{key.pk}/revoke/").status_code == 302
    assert client.get("/me").status_code == 401
    assert "Revoked" in cast.owner.portal.get(f"/api-keys/{key.pk}/").content.decode()


def test_settings_change_what_may_change(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    path = f"/api-keys/{key.pk}/settings/"
    assert cast.owner.portal.post(path, {"name": "weekly", "days": "", "calls_per_minute": "9"}).status_code == 302
    before = key.expires_at
    key.refresh_from_db()
    assert (key.name, key.calls_per_minute, key.expires_at) == ("weekly", 9, before)
    assert cast.owner.portal.post(path, {"name": "weekly", "days": "365"}).status_code == 302
    key.refresh_from_db()
    assert key.expires_at > before
    assert cast.owner.portal.post(path, {"name": "", "days": ""}).status_code == 422


def test_what_one_may_not_do_is_shown_disabled(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    manager = cast.manager.portal.get(f"/api-keys/{key.pk}/").content.decode()
    assert manager.count('aria-disabled="true"') >= 3
    assert f"/api-keys/{key.pk}/rotate/" not in manager and f"/api-keys/{key.pk}/revoke/" not in manager
    admin = cast.admin.portal.get(f"/api-keys/{key.pk}/").content.decode()
    assert f"/api-keys/{key.pk}/rotate/" not in admin and f"/api-keys/{key.pk}/revoke/" in admin
    assert "/api-keys/new/" not in cast.guest.portal.get("/api-keys/").content.decode()


def test_projects_that_one_may_not_see_are_counted_and_not_named(cast: Cast) -> None:
    project = cast.sample("project")
    key = key_of(cast.owner, "projects.view_project", projects=[project])[0]
    cast.owner.user.project_memberships.all().delete()
    text = cast.owner.portal.get(f"/api-keys/{key.pk}/").content.decode()
    assert project.name not in text
    assert "1 project that you cannot see" in text


def test_filters_and_search(cast: Cast) -> None:
    key, secret = key_of(cast.owner, name="nightly import")
    key_of(cast.editor, name="camera")
    client = cast.manager.portal

    def shown(query: str) -> set[str]:
        text = client.get(f"/api-keys/{query}").content.decode()
        return {name for name in ("nightly import", "camera") if name in text}

    assert shown("") == {"nightly import", "camera"}
    assert shown("?q=night") == shown(f"?q={secret[:12]}") == {"nightly import"}
    assert shown("?owner=me") == set()
    cast.owner.rest.post(f"/api-keys/{key.pk}/revoke")
    assert shown("?state=revoked") == {"nightly import"}
    assert shown("?state=active") == {"camera"}
    assert shown("?state=nonsense") == {"nightly import", "camera"}
    assert [row["name"] for row in cast.manager.rest.get("/api-keys?state=revoked").json()["results"]] == [
        "nightly import"
    ]
    assert cast.manager.rest.get("/api-keys?state=nonsense").status_code == 400
    found = cast.manager.rest.get(f"/api-keys?search=cam&owner_id={cast.editor.user.pk}").json()["results"]
    assert [row["name"] for row in found] == ["camera"]


def test_the_catalogue_counts_calls_by_key_and_endpoint(cast: Cast) -> None:
    row = cast.sample("apikeys.EndpointUsage")
    text = cast.manager.portal.get("/api-keys/endpoints/").content.decode()
    assert "GET /api/v1/projects" in text and "POST /api/v1/training-jobs" in text
    assert row.key.name in text
    one = cast.manager.portal.get(f"/api-keys/endpoints/?key={row.key_id}&days=1&q=projects").content.decode()
    assert "GET /api/v1/projects" in one and "training-jobs" not in one
    stranger = cast.stranger.portal.get(f"/api-keys/endpoints/?key={row.key_id}").content.decode()
    assert row.key.name not in stranger


def test_pages_cost_the_same_for_many_keys(cast: Cast) -> None:
    project = cast.sample("project")
    client = cast.manager.portal

    def add(count: int) -> None:
        for _number in range(count):
            key_of(cast.owner, "projects.view_project", projects=[project])

    assert_constant_queries(lambda: client.get("/api-keys/"), add_rows=add)


def test_the_admin_lists_searches_and_revokes_without_a_secret(cast: Cast) -> None:
    key, secret = key_of(cast.owner, name="nightly")
    person = cast.admin
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    base = "/admin/apikeys/apikey/"
    for path in (base, f"{base}?q=nightly", f"{base}?state=active", f"{base}{key.pk}/change/"):
        text = person.portal.get(path).content.decode()
        assert "nightly" in text
        assert secret[12:] not in text and key.secrets.get().digest not in text
    chosen = {"action": "revoke", "_selected_action": [str(key.pk)], "reason": "a test"}
    assert person.portal.post(base, chosen).status_code == 302
    key.refresh_from_db()
    assert (key.state, key.revoked_by) == ("revoked", person.user)
    other = key_of(cast.editor)[0]
    cast.manager.user.is_staff = True
    cast.manager.user.save(update_fields=["is_staff"])
    cast.manager.portal.post(base, {**chosen, "_selected_action": [str(other.pk)]})
    other.refresh_from_db()
    assert other.state == "active", "managers look, administrators revoke"
    assert_constant_queries(
        lambda: person.portal.get(base), add_rows=lambda count: [key_of(cast.owner) for _number in range(count)]
    )
