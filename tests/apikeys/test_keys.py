"""API keys: what they prove, every way in which they must not, rotation, revocation, and what is stored of them."""

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.apikeys import secret_text
from apps.apikeys.models import ApiKey, ApiKeySecret
from apps.apikeys.scopes import VERBS, completed, offered
from apps.apikeys.services import key_change, key_create, key_revoke, key_rotate
from apps.apikeys.services.keys import outside_scope_note
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import policy
from apps.core.errors import Conflict, Forbidden, Invalid
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, RestClient
from apps.organizations.services import membership_remove
from tests.factories.apikeys import key_of
from tests.factories.organizations import MembershipFactory
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "API keys")


def me(secret: str, scheme: str = "Bearer") -> Any:
    client = RestClient()
    client.credentials(HTTP_AUTHORIZATION=f"{scheme} {secret}")
    return client.get("/me/permissions")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Api-Key"])
def test_a_key_stands_for_its_owner_in_its_organization(cast: Cast, scheme: str) -> None:
    MembershipFactory(user=cast.owner.user, role=Role.ADMIN)
    key, secret = key_of(cast.owner)
    answer = me(secret, scheme)
    assert answer.status_code == 200
    assert answer.json()["via"] == "key"
    assert [row["organization_id"] for row in answer.json()["organizations"]] == [str(key.organization_id)]
    assert [row["name"] for row in answer.json()["projects"]] == [cast.sample("project").name]


def test_what_is_stored_is_a_keyed_digest_and_how_the_secret_begins(cast: Cast) -> None:
    key, secret = key_of(cast.owner)
    assert re.fullmatch("myk_[0-9A-Za-z]{46}", secret)
    stored = ApiKeySecret.objects.get(key=key)
    assert secret.startswith(stored.shown) and len(stored.shown) == 12
    assert stored.digest == secret_text.digest_of(secret)
    for table in (ApiKey, ApiKeySecret, AuditEvent):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg(t::text, '') FROM {table._meta.db_table} t")
            assert secret[len(stored.shown) :] not in cursor.fetchone()[0]


def test_the_digest_depends_on_the_portals_secret(cast: Cast, settings: Any) -> None:
    secret = key_of(cast.owner)[1]
    assert me(secret).status_code == 200
    settings.API_KEY_SECRET = "another secret"
    assert me(secret).status_code == 401


def spoilt(secret: str, position: int) -> str:
    letter = "A" if secret[position] != "A" else "B"
    return secret[:position] + letter + secret[position + 1 :]


def test_a_mistyped_key_is_refused_without_a_query(cast: Cast) -> None:
    secret = key_of(cast.owner)[1]
    wrong = [spoilt(secret, position) for position in range(4, len(secret))]
    wrong += [secret[:-1], secret + "A", secret[:20], "myk_", "myk_" + "é" * 46, "myk_" + "0" * 46]
    for text in wrong:
        with CaptureQueriesContext(connection) as captured:
            answer = me(text.encode().decode("latin-1"))
        assert (answer.status_code, answer.json()["code"]) == (401, "key_invalid"), text
        assert len(captured) == 0, text


def test_unknown_revoked_expired_and_orphaned_keys_are_refused(cast: Cast) -> None:
    assert me(secret_text.new_secret()).json()["code"] == "key_invalid"
    expired, expired_secret = key_of(cast.owner)
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (me(expired_secret).status_code, me(expired_secret).json()["code"]) == (401, "key_expired")
    revoked, revoked_secret = key_of(cast.owner)
    key_revoke(actor=cast.owner.actor, key=revoked)
    assert (me(revoked_secret).status_code, me(revoked_secret).json()["code"]) == (401, "key_revoked")
    _left, left_secret = key_of(cast.member)
    cast.member.user.memberships.get().change(state="suspended")
    assert (me(left_secret).status_code, me(left_secret).json()["code"]) == (401, "key_invalid")
    _inactive, inactive_secret = key_of(cast.viewer)
    cast.viewer.user.change(is_active=False)
    assert me(inactive_secret).json()["code"] == "key_invalid"


def test_who_is_removed_from_the_organization_has_no_key_to_it_when_they_come_back(cast: Cast) -> None:
    _key, secret = key_of(cast.member)
    kept = key_of(cast.editor)[1]
    membership = cast.member.user.memberships.get()
    membership_remove(actor=cast.admin.actor, membership=membership)
    assert me(secret).status_code == 401
    MembershipFactory(organization=cast.sample("organization"), user=cast.member.user)
    assert me(secret).json()["code"] == "key_revoked"
    assert me(kept).status_code == 200


@pytest.mark.parametrize("name", ["key", "api_key", "token", "access_token", "authorization"])
def test_a_key_in_the_address_is_no_key(cast: Cast, name: str) -> None:
    secret = key_of(cast.owner)[1]
    assert RestClient().get(f"/me/permissions?{name}={secret}").status_code == 401


def test_a_key_signs_nobody_in_to_the_portal(cast: Cast) -> None:
    secret = key_of(cast.owner)[1]
    answer = cast.anonymous.portal.get("/projects/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 302 and answer["Location"].startswith("/account/login/")


def test_roles_are_read_afresh(cast: Cast) -> None:
    client = RestClient(key_of(cast.admin)[1])
    path = cast.path("/projects/{project}")
    assert client.patch(path, {"name": "By the administrator"}).status_code == 200
    cast.admin.user.memberships.get().change(role=Role.GUEST)
    assert client.patch(path, {"name": "By a guest"}).status_code == 404


def test_a_platform_administrators_key_is_a_members_key(cast: Cast) -> None:
    MembershipFactory(user=cast.platform.user, organization=cast.sample("foreign-organization"), role=Role.ADMIN)
    person = replace(cast.platform, organization_id=cast.sample("foreign-organization").pk)
    secret = key_of(person)[1]
    client = RestClient(secret)
    assert client.get(cast.path("/projects/{project}")).status_code == 404
    assert [row["id"] for row in client.get("/organizations").json()["results"]] == [str(person.organization_id)]
    actor = Actor.of(cast.platform.user)
    with pytest.raises(Forbidden, match="Only members"):
        key_create(
            actor=actor,
            organization=cast.sample("organization"),
            name="no member",
            scopes=["projects.view_project"],
            expires_at=timezone.now() + timedelta(days=1),
        )


def test_last_use_is_written_once_a_minute(cast: Cast) -> None:
    key, secret = key_of(cast.owner)
    assert me(secret).status_code == 200
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    with CaptureQueriesContext(connection) as captured:
        assert me(secret).status_code == 200
    assert not [query for query in captured.captured_queries if query["sql"].startswith(("UPDATE", "INSERT"))]
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(seconds=61))
    assert me(secret).status_code == 200
    key.refresh_from_db()
    assert key.last_used_at > first


def test_rotation_overlaps_and_ends_at_once_when_told_so(cast: Cast) -> None:
    key, first = key_of(cast.owner)
    client = cast.owner.rest
    answer = client.post(f"/api-keys/{key.pk}/rotate", {"overlap_hours": 2})
    assert answer.status_code == 200 and answer["Cache-Control"] == "no-store"
    second = answer.json()["secret"]
    assert second != first
    assert me(first).status_code == me(second).status_code == 200
    ends = ApiKeySecret.objects.get(digest=secret_text.digest_of(first)).expires_at
    assert timedelta(hours=1, minutes=59) < ends - timezone.now() <= timedelta(hours=2)
    third = client.post(f"/api-keys/{key.pk}/rotate", {"overlap_hours": 0}).json()["secret"]
    assert me(first).json()["code"] == me(second).json()["code"] == "key_expired"
    assert me(third).status_code == 200
    assert [row["shown"] for row in client.get(f"/api-keys/{key.pk}").json()["secrets"]] == [
        third[:12],
        second[:12],
        first[:12],
    ]
    for hours in (-1, 169, "x"):
        assert client.post(f"/api-keys/{key.pk}/rotate", {"overlap_hours": hours}).status_code == 400


def test_of_many_rotations_the_last_secrets_are_kept(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    made = [key_rotate(actor=cast.owner.actor, key=key)[1] for _number in range(7)]
    assert [row.shown for row in key.secrets.all()] == [secret[:12] for secret in reversed(made[-5:])]
    assert me(made[-1]).status_code == me(made[-2]).status_code == 200
    assert {me(secret).status_code for secret in made[:-2]} == {401}


def test_only_the_owner_gets_a_new_secret(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    for person in (cast.manager, cast.admin):
        assert person.rest.get(f"/api-keys/{key.pk}").status_code == 200
        assert person.rest.post(f"/api-keys/{key.pk}/rotate", {}).status_code == 403
    assert cast.platform.rest.post(f"/api-keys/{key.pk}/rotate", {}).json()["code"] == "not_the_owner"
    assert cast.member.rest.post(f"/api-keys/{key.pk}/rotate", {}).status_code == 404


def test_a_key_that_ended_does_not_come_back(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    assert cast.admin.rest.post(f"/api-keys/{key.pk}/revoke").status_code == 200
    assert cast.owner.rest.post(f"/api-keys/{key.pk}/revoke").json()["code"] == "already_revoked"
    assert cast.owner.rest.post(f"/api-keys/{key.pk}/rotate", {}).json()["code"] == "key_ended"
    later = (timezone.now() + timedelta(days=9)).isoformat()
    assert cast.owner.rest.patch(f"/api-keys/{key.pk}", {"expires_at": later}).json()["code"] == "key_ended"


def test_name_end_and_limit_can_be_changed_and_nothing_else(cast: Cast) -> None:
    key = key_of(cast.owner, "projects.view_project")[0]
    body = {"name": "Renamed", "calls_per_minute": 5, "scopes": ["projects.change_project"], "owner_id": "x"}
    answer = cast.owner.rest.patch(f"/api-keys/{key.pk}", body)
    assert answer.status_code == 200
    key.refresh_from_db()
    assert (key.name, key.calls_per_minute, key.scopes) == ("Renamed", 5, ["projects.view_project"])
    assert (key.owner_id, key.limited_to_projects) == (cast.owner.user.pk, False)
    other = cast.owner.rest.patch(f"/api-keys/{key.pk}", {"name": "x"}, headers={"If-Match": '"99"'})
    assert other.status_code == 412


def bad_bodies(cast: Cast) -> list[tuple[str, dict[str, Any]]]:
    soon = timezone.now() + timedelta(days=1)
    good: dict[str, Any] = {"name": "k", "scopes": ["projects.view_project"], "expires_at": soon.isoformat()}
    foreign = str(cast.sample("foreign-organization").pk)
    return [
        ("name", {**good, "name": ""}),
        ("name", {**good, "name": "<b>"}),
        ("name", {**good, "name": "x" * 121}),
        ("scopes", {**good, "scopes": []}),
        ("scopes", {**good, "scopes": ["no.such_permission"]}),
        ("scopes", {**good, "scopes": ["resources.change_node"]}),
        ("scopes", {**good, "scopes": "projects.view_project"}),
        ("expires_at", {**good, "expires_at": (timezone.now() - timedelta(days=1)).isoformat()}),
        ("expires_at", {**good, "expires_at": (timezone.now() + timedelta(days=400)).isoformat()}),
        ("expires_at", {**good, "expires_at": "soon"}),
        ("expires_at", {name: value for name, value in good.items() if name != "expires_at"}),
        ("project_ids", {**good, "project_ids": []}),
        ("project_ids", {**good, "project_ids": ["0190a5d0-0000-7000-8000-000000000000"]}),
        ("calls_per_minute", {**good, "calls_per_minute": 0}),
        ("calls_per_minute", {**good, "calls_per_minute": 10**9}),
        ("organization_id", {**good, "organization_id": foreign}),
    ]


def test_bad_input_names_the_field_and_makes_nothing(cast: Cast) -> None:
    for field, body in bad_bodies(cast):
        answer = cast.owner.rest.post("/api-keys", body)
        assert answer.status_code == 400, (field, answer.content)
        assert any(name.startswith(field) for name in answer.json()["errors"]), answer.json()
    assert ApiKey.objects.count() == 0


def test_names_are_taken_once_until_the_key_is_revoked(cast: Cast) -> None:
    key = key_of(cast.owner, name="nightly")[0]
    with pytest.raises(Conflict):
        key_of(cast.owner, name="nightly")
    other = key_of(cast.owner, name="weekly")[0]
    with pytest.raises(Conflict):
        key_change(actor=cast.owner.actor, key=other, name="nightly")
    key_of(cast.member, name="nightly")
    key_revoke(actor=cast.owner.actor, key=key)
    key_of(cast.owner, name="nightly")


def test_guests_have_no_keys(cast: Cast) -> None:
    assert cast.guest.rest.get("/api-keys").json()["results"] == []
    body = {"name": "k", "scopes": ["projects.view_project"], "expires_at": timezone.now().isoformat()}
    assert cast.guest.rest.post("/api-keys", body).status_code == 403


# --- A key that manages keys


def managing(cast: Cast, **changes: Any) -> tuple[ApiKey, RestClient]:
    key, secret = key_of(cast.owner, "apikeys.add_apikey", "apikeys.change_apikey", "projects.view_project", **changes)
    return key, RestClient(secret)


def test_a_key_makes_no_key_that_may_do_more_than_itself(cast: Cast) -> None:
    own, client = managing(cast)
    body = {"name": "child", "scopes": ["projects.view_project"], "expires_at": own.expires_at.isoformat()}
    assert client.post("/api-keys", body).status_code == 201
    wider = {**body, "name": "wider", "scopes": ["projects.change_project"]}
    assert client.post("/api-keys", wider).json()["code"] == "above_own_key"
    longer = {**body, "name": "longer", "expires_at": (own.expires_at + timedelta(days=1)).isoformat()}
    assert client.post("/api-keys", longer).json()["code"] == "above_own_key"


def test_a_key_gets_no_secret_of_a_mightier_key_and_does_not_prolong_itself(cast: Cast) -> None:
    own, client = managing(cast)
    mightier = key_of(cast.owner)[0]
    assert client.post(f"/api-keys/{mightier.pk}/rotate", {}).json()["code"] == "above_own_key"
    assert client.post(f"/api-keys/{own.pk}/rotate", {}).status_code == 200
    later = {"expires_at": (own.expires_at + timedelta(days=1)).isoformat()}
    assert client.patch(f"/api-keys/{own.pk}", later).json()["code"] == "above_own_key"


def test_a_key_with_a_limit_of_calls_neither_lifts_it_nor_makes_a_key_above_it(cast: Cast) -> None:
    own, client = managing(cast, calls_per_minute=5)
    body = {"name": "child", "scopes": ["projects.view_project"], "expires_at": own.expires_at.isoformat()}
    for wanted, code in ((None, "above_own_key"), (6, "above_own_key"), (5, None)):
        assert client.patch(f"/api-keys/{own.pk}", {"calls_per_minute": wanted}).json().get("code") == code
    ApiKey.objects.filter(pk=own.pk).update(calls_per_minute=1000)
    for wanted, status in ((None, 403), (1001, 403), (1000, 201)):
        made = client.post("/api-keys", {**body, "name": f"child {wanted}", "calls_per_minute": wanted})
        assert made.status_code == status, made.content


def test_a_key_limited_to_projects_makes_no_keys(cast: Cast) -> None:
    own, client = managing(cast, projects=[cast.sample("project")])
    body = {"name": "child", "scopes": ["projects.view_project"], "expires_at": own.expires_at.isoformat()}
    assert client.post("/api-keys", body).status_code == 403
    assert client.post(f"/api-keys/{own.pk}/rotate", {}).status_code in {403, 404}


# --- The registry


def test_every_verb_of_the_registry_has_words() -> None:
    verbs = {name.partition(".")[2].partition("_")[0] for name in policy.names()}
    assert verbs - set(VERBS) == set()


def test_scopes_are_completed_by_what_they_are_useless_without() -> None:
    assert completed(["datasets.add_dataset"]) == {
        "datasets.add_dataset",
        "datasets.view_dataset",
        "projects.view_project",
    }


def test_only_what_one_could_hold_is_offered(cast: Cast) -> None:
    assert "resources.change_node" in policy.names()
    for person in (cast.owner, cast.admin):
        assert "resources.change_node" not in offered(person.actor)
    found = cast.owner.rest.get("/api-keys/scopes").json()
    assert {row["permission"] for row in found} == set(offered(cast.owner.actor))
    client = RestClient(key_of(cast.owner, "projects.view_project")[1])
    assert [row["permission"] for row in client.get("/api-keys/scopes").json()] == ["projects.view_project"]


# --- Audit, and two at once


def test_making_changing_rotating_and_revoking_are_written_down(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    key_change(actor=cast.owner.actor, key=key, name="Renamed")
    key_rotate(actor=cast.owner.actor, key=key)
    key_revoke(actor=cast.admin.actor, key=key)
    events = AuditEvent.objects.filter(entity_id=str(key.pk)).order_by("id")
    assert [event.action for event in events] == [
        "apikey.created",
        "apikey.changed",
        "apikey.rotated",
        "apikey.revoked",
    ]


def test_what_a_key_does_is_written_down_with_the_key(cast: Cast) -> None:
    key, secret = key_of(cast.owner)
    assert RestClient(secret).patch(cast.path("/projects/{project}"), {"name": "By key"}).status_code == 200
    event = AuditEvent.objects.get(action="project.changed")
    (shown,) = readable([event])
    assert (event.actor_id, event.via, shown.params["api_key"]) == (cast.owner.user.pk, "key", str(key.pk))


def test_nobody_notes_the_use_of_another_key(cast: Cast) -> None:
    key = key_of(cast.owner)[0]
    with pytest.raises(Forbidden):
        outside_scope_note(actor=cast.owner.actor, key=key, request="GET /", lacking=[], status=403)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_makes_the_key_of_a_name(sample_factories: None) -> None:
    from tests.factories.cast import build  # import here: models load after Django's set-up

    cast = Cast(build)
    owner, outcomes = cast.owner, []

    def make() -> None:
        try:
            key_of(owner, "projects.view_project", name="the one")
            outcomes.append("made")
        except Conflict:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", *["refused"] * 5]


def test_an_empty_list_of_projects_is_refused_by_the_service(cast: Cast) -> None:
    with pytest.raises(Invalid):
        key_of(cast.owner, "projects.view_project", projects=[])
