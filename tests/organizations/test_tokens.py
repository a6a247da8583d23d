"""Access and refresh tokens: what they prove, and every way in which they must not."""

import threading
import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from apps.accounts.models import RefreshToken
from apps.audit.models import AuditEvent
from apps.core.api.authentication import access_claims
from apps.core.errors import Forbidden, NotAuthenticated
from apps.core.identity import Role
from apps.core.testing import Cast, RestClient
from apps.organizations.services import sign_in, tokens_end
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.organizations import MembershipFactory
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "access and refresh tokens")


def issued(person: Any, **changes: Any) -> dict[str, Any]:
    response = RestClient().post("/auth/token", {"email": person.user.email, "password": PASSWORD, **changes})
    assert response.status_code == 200, response.content
    return response.json()


def refreshed(refresh: str) -> Any:
    return RestClient().post("/auth/token/refresh", {"refresh": refresh})


def me(access: str) -> int:
    return int(RestClient(access).get("/me").status_code)


def test_a_token_says_who_and_which_organization(cast: Cast) -> None:
    pair = issued(cast.owner)
    claims = access_claims(pair["access"])
    assert claims["sub"] == str(cast.owner.user.pk)
    assert claims["organization_id"] == pair["organization_id"] == str(cast.owner.organization_id)
    assert claims["exp"] - claims["iat"] == pair["expires_in"] == django_settings.ACCESS_TOKEN_LIFETIME_SECONDS
    assert me(pair["access"]) == 200
    assert AuditEvent.objects.filter(action="account.token_issued", actor_id=cast.owner.user.pk).count() == 1


def test_the_organization_is_chosen_when_the_token_is_issued_and_bounds_it(cast: Cast) -> None:
    second = MembershipFactory(user=cast.owner.user, role=Role.ADMIN).organization
    access = issued(cast.owner, organization_id=str(second.pk))["access"]
    client = RestClient(access)
    assert [row["id"] for row in client.get("/organizations").json()["results"]] == [str(second.pk)]
    assert client.get(cast.path("/projects/{project}")).status_code == 404


def test_guessing_is_slowed_down_whatever_address_is_claimed(cast: Cast) -> None:
    body = {"email": cast.owner.user.email, "password": "wrong"}
    answers = [
        RestClient().post("/auth/token", body, headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(12)
    ]
    assert answers[:5] == [401] * 5
    assert answers[5:] == [429] * 7


def test_a_foreign_organization_cannot_be_chosen(cast: Cast) -> None:
    body = {
        "email": cast.owner.user.email,
        "password": PASSWORD,
        "organization_id": str(cast.sample("foreign-organization").pk),
    }
    assert RestClient().post("/auth/token", body).status_code == 404


def test_wrong_password_unknown_inactive_and_unverified_people_get_one_answer(cast: Cast) -> None:
    unverified = UserFactory(address=False)
    inactive = UserFactory(is_active=False)
    attempts = [
        (cast.owner.user.email, "wrong password"),
        ("nobody@example.com", PASSWORD),
        (unverified.email, PASSWORD),
        (inactive.email, PASSWORD),
    ]
    answers = [RestClient().post("/auth/token", {"email": e, "password": p}) for e, p in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def test_guessing_passwords_is_slowed_down(cast: Cast) -> None:
    body = {"email": cast.owner.user.email, "password": "wrong"}
    statuses = [RestClient().post("/auth/token", body).status_code for _number in range(12)]
    assert statuses[-1] == 429
    assert RestClient().post("/auth/token", {**body, "password": PASSWORD}).status_code == 429


def test_roles_are_read_afresh_and_a_removed_member_loses_everything_at_once(cast: Cast) -> None:
    client = RestClient(issued(cast.admin)["access"])
    path = cast.path("/projects/{project}")
    assert client.patch(path, {"name": "By the administrator"}).status_code == 200
    membership = cast.admin.user.memberships.get()
    membership.change(role=Role.GUEST)
    assert client.patch(path, {"name": "By a guest"}).status_code == 404
    membership.change(role=Role.ADMIN, state="suspended")
    assert client.get(path).status_code == 404
    assert client.get("/organizations").json()["results"] == []


def forged(
    cast: Cast, *, key: str | None = None, algorithm: str = "HS256", headers: Any = None, **changes: Any
) -> str:
    """A token of the owner with claims changed; `None` leaves the claim out."""
    claims = {**access_claims(cast.owner.token), **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    secret = django_settings.SECRET_KEY if key is None else key
    return jwt.encode(claims, secret, algorithm=algorithm, headers=headers)


NOW = int(timezone.now().timestamp())
FORGERIES: dict[str, dict[str, Any]] = {
    "K04 signed with another key": {"key": "x" * 64},
    "K06 expired": {"exp": NOW - 10, "nbf": NOW - 100},
    "K07 not valid yet": {"nbf": NOW + 3600},
    "K11 alg none": {"key": "", "algorithm": "none"},
    "K12 another algorithm": {"algorithm": "HS512"},
    "K13 kid traversal with another key": {"key": "x" * 64, "headers": {"kid": "../../../../dev/null"}},
    "K15 aud": {"aud": "another-api"},
    "K15 aud missing": {"aud": None},
    "K16 iss": {"iss": "somebody"},
    "K18 id token": {"typ": "id"},
    "K17 refresh as access": {"typ": "refresh"},
    "typ missing": {"typ": None},
    "K21 exp as text": {"exp": str(NOW + 100)},
    "K21 exp of words": {"exp": "never"},
    "K21 exp beyond every calendar": {"exp": 10**20},
    "K21 exp longer than any token lives": {"exp": NOW + 86400 * 365},
    "K21 exp is a fraction": {"exp": NOW + 100.5},
    "exp missing": {"exp": None},
    "sub is no id": {"sub": "1 OR 1=1"},
    "sub unknown": {"sub": "01900000-0000-7000-8000-000000000000"},
    "sub missing": {"sub": None},
    "gen of another generation": {"gen": 7},
    "gen missing": {"gen": None},
    "organization is no id": {"organization_id": "x"},
    "organization missing": {"organization_id": None},
}


@pytest.mark.filterwarnings("ignore:The HMAC key is")
@pytest.mark.parametrize("changes", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forged_or_unfitting_token_is_refused(cast: Cast, changes: dict[str, Any]) -> None:
    assert me(forged(cast)) == 200, "the unchanged one works"
    assert me(forged(cast, **changes)) == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30", "\x00", "x" * 20_000, "eyJhbGciOiJub25lIn0.e30."])
def test_random_tokens_are_refused(cast: Cast, token: str) -> None:
    assert me(token) == 401


def test_a_token_changed_in_one_character_is_refused(cast: Cast) -> None:
    token = cast.owner.token
    for position in (5, token.index(".") + 5, len(token) - 5):
        other = "A" if token[position] != "A" else "B"
        assert me(token[:position] + other + token[position + 1 :]) == 401


def test_an_empty_bearer_and_a_token_in_the_address_are_refused(cast: Cast) -> None:
    for header in ("Bearer", "Bearer ", "Basic abc"):
        assert RestClient(HTTP_AUTHORIZATION=header).get("/me").status_code == 401
    for name in ("access_token", "token", "key"):
        assert RestClient().get(f"/me?{name}={cast.owner.token}").status_code == 401


def test_a_refresh_token_is_no_access_token(cast: Cast) -> None:
    assert me(issued(cast.owner)["refresh"]) == 401


def test_a_deleted_or_inactive_person_is_refused(cast: Cast) -> None:
    pair = issued(cast.owner)
    cast.owner.user.is_active = False
    cast.owner.user.save(update_fields=["is_active"])
    assert me(pair["access"]) == 401
    assert refreshed(pair["refresh"]).status_code == 401
    other = issued(cast.viewer)
    cast.viewer.user.delete()
    assert me(other["access"]) == 401
    assert refreshed(other["refresh"]).status_code == 401


def test_a_token_of_the_admin_door_opens_no_session(cast: Cast) -> None:
    response = Client().get("/profile/", headers={"Authorization": f"Bearer {cast.owner.token}"})
    assert response.status_code == 302


def test_a_refresh_token_is_exchanged_once_for_a_new_pair(cast: Cast) -> None:
    first = issued(cast.owner)
    second = refreshed(first["refresh"]).json()
    assert second["refresh"] != first["refresh"]
    assert second["organization_id"] == first["organization_id"]
    assert me(second["access"]) == 200
    assert refreshed(second["refresh"]).status_code == 200


def test_using_a_refresh_token_twice_ends_its_whole_family_and_no_other(cast: Cast) -> None:
    first, other = issued(cast.owner), issued(cast.owner)
    second = refreshed(first["refresh"]).json()
    assert refreshed(first["refresh"]).status_code == 401
    assert refreshed(second["refresh"]).status_code == 401, "neither thief nor owner goes on"
    assert refreshed(other["refresh"]).status_code == 200
    assert AuditEvent.objects.filter(action="account.tokens_revoked").count() >= 1


@pytest.mark.parametrize("refresh", ["", "x", "myr_" + "A" * 43, "\x00", "x" * 201])
def test_unknown_refresh_tokens_are_refused(cast: Cast, refresh: str) -> None:
    assert refreshed(refresh).status_code in {400, 401}


def test_an_old_refresh_token_is_refused(cast: Cast) -> None:
    pair = issued(cast.owner)
    RefreshToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refreshed(pair["refresh"]).status_code == 401


def test_a_refresh_token_of_a_left_organization_is_refused(cast: Cast) -> None:
    pair = issued(cast.owner)
    cast.owner.user.memberships.get().change(state="suspended")
    assert refreshed(pair["refresh"]).status_code == 401


def test_revoking_ends_the_family_of_ones_own_token_only(cast: Cast) -> None:
    own, foreign = issued(cast.owner), issued(cast.stranger)
    client = RestClient(own["access"])
    for refresh in (foreign["refresh"], "unknown", own["refresh"]):
        assert client.post("/auth/token/revoke", {"refresh": refresh}).status_code == 204
    assert refreshed(own["refresh"]).status_code == 401
    assert refreshed(foreign["refresh"]).status_code == 200


def test_a_password_change_ends_every_token(cast: Cast) -> None:
    pair = issued(cast.owner)
    response = cast.owner.portal.post(
        "/account/password/change/",
        {"oldpassword": PASSWORD, "password1": "another long phrase", "password2": "another long phrase"},
    )
    assert response.status_code == 302
    assert me(pair["access"]) == 401
    assert refreshed(pair["refresh"]).status_code == 401


def test_only_the_person_and_the_platform_end_a_persons_tokens(cast: Cast) -> None:
    for person in (cast.admin, cast.stranger, cast.anonymous):
        with pytest.raises(Forbidden):
            tokens_end(actor=person.actor, user=cast.owner.user)
    tokens_end(actor=cast.platform.actor, user=cast.owner.user)
    assert AuditEvent.objects.filter(action="account.tokens_revoked").count() == 1


def test_refresh_tokens_are_stored_as_digests_only(cast: Cast) -> None:
    refresh = issued(cast.owner)["refresh"]
    row = RefreshToken.objects.values().latest("created_at")
    assert refresh not in str(row)
    assert len(row["digest"]) == 64


def test_one_refresh_token_used_by_many_at_once_gives_one_pair_and_ends_the_family(
    transactional_db: None, sample_factories: None
) -> None:
    user = UserFactory()
    MembershipFactory(user=user)
    refresh = RestClient().post("/auth/token", {"email": user.email, "password": PASSWORD}).json()["refresh"]
    barrier = threading.Barrier(4)
    answers: list[Any] = []

    def use() -> None:
        try:
            barrier.wait(10)
            answers.append(refreshed(refresh))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=use) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    winner = next(answer for answer in answers if answer.status_code == 200).json()
    assert refreshed(winner["refresh"]).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_refresh_while_the_password_changes_leaves_no_live_token(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, user = issued(cast.owner), cast.owner.user
    exchanging, refreshing, broke = threading.Event(), sign_in._refreshed, []

    def held_up(**arguments: Any) -> Any:
        exchanging.set()
        deadline = time.monotonic() + 10
        while not _waits_for_a_lock() and time.monotonic() < deadline:
            time.sleep(0.01)
        return refreshing(**arguments)

    def run(call: Any) -> None:
        try:
            call()
        except NotAuthenticated:
            pass
        except Exception as error:  # noqa: BLE001 - whatever broke in a thread must reach the test
            broke.append(error)
        finally:
            connections.close_all()

    monkeypatch.setattr(sign_in, "_refreshed", held_up)
    calls = [
        lambda: sign_in.token_refresh(refresh=pair["refresh"]),
        lambda: tokens_end(actor=cast.owner.actor, user=user),
    ]
    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    threads[0].start()
    assert exchanging.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert not broke
    assert RefreshToken.objects.filter(user=user).count() == 2, "the refresh came first"
    assert not RefreshToken.objects.filter(user=user, revoked_at__isnull=True).exists()


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None


def test_a_sign_in_from_before_the_password_changed_gets_no_token(cast: Cast) -> None:
    proven = cast.owner.actor
    tokens_end(actor=cast.owner.actor, user=type(proven.user).objects.get(pk=proven.user_id))
    with pytest.raises(NotAuthenticated):
        sign_in.token_issue(actor=proven)
    assert not RefreshToken.objects.filter(user=proven.user, revoked_at__isnull=True).exists()
