"""Where one is signed in: seen and ended by the person alone, on the page, over REST and by the platform's staff."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts.models import RefreshToken, User
from apps.accounts.selectors import Kind, SignIn
from apps.accounts.services import sessions
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Forbidden, NotFound
from apps.core.testing import Cast, PortalClient, RestClient, assert_constant_queries
from apps.core.testing.queries import captured_queries
from tests.factories.accounts import PASSWORD
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "sessions")
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def browser(user: User, agent: str = CHROME, ip: str = "203.0.113.7") -> Client:
    """Signed in with the password, as a browser at an address."""
    client = PortalClient(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def program(user: User, agent: str = "curl/8.1", ip: str = "198.51.100.9") -> dict[str, Any]:
    client = RestClient(HTTP_USER_AGENT=agent, REMOTE_ADDR=ip)
    response = client.post("/auth/token", {"email": user.email, "password": PASSWORD})
    assert response.status_code == 200, response.content
    return response.json()


def listed(access: str) -> list[dict[str, Any]]:
    return RestClient(access).get("/sessions").json()


def refreshed(refresh: str) -> Any:
    return RestClient().post("/auth/token/refresh", {"refresh": refresh})


def test_browsers_and_programs_are_listed_the_one_that_asks_first(cast: Cast) -> None:
    user = cast.owner.user
    pair = program(user)
    browser(user)
    found = listed(pair["access"])
    assert [(row["kind"], row["client"], row["ip"], row["is_current"]) for row in found] == [
        ("program", "curl/8.1", "198.51.100.9", True),
        ("browser", "Chrome · Windows", "203.0.113.7", False),
    ]
    assert found[0]["organization_id"] == str(cast.owner.organization_id)
    text = str(found)
    assert not [key for key in Session.objects.values_list("pk", flat=True) if key in text], "no key of a session"


def test_a_refreshed_program_is_one_sign_in_that_began_when_it_did(cast: Cast) -> None:
    pair = program(cast.owner.user)
    began = listed(pair["access"])[0]["created_at"]
    again = refreshed(pair["refresh"]).json()
    found = listed(again["access"])
    assert len(found) == 1
    assert found[0]["created_at"] == began
    assert found[0]["last_seen_at"] > began


def test_a_session_that_is_ended_is_gone_at_once(cast: Cast) -> None:
    user = cast.owner.user
    here, there = browser(user), browser(user, ip="192.0.2.4")
    page = here.get("/profile/sessions/").content.decode()
    assert "192.0.2.4" in page
    row = UserSession.objects.get(ip="192.0.2.4")
    assert here.post(f"/profile/sessions/{row.pk}/end/").status_code == 302
    assert not is_in(there)
    assert is_in(here)
    event = AuditEvent.objects.get(action="account.session_revoked")
    assert (event.entity_id, readable([event])[0].params) == (str(user.pk), {"kind": "browser"})


def test_a_program_that_is_ended_is_out_with_both_its_tokens(cast: Cast) -> None:
    user = cast.owner.user
    mine, other = program(user), program(user)
    family = next(row["id"] for row in listed(mine["access"]) if not row["is_current"])
    assert RestClient(mine["access"]).delete(f"/sessions/{family}").status_code == 204
    assert RestClient(other["access"]).get("/me").status_code == 401
    assert refreshed(other["refresh"]).status_code == 401
    assert RestClient(mine["access"]).get("/me").status_code == 200
    assert refreshed(mine["refresh"]).status_code == 200


def test_revoking_the_refresh_token_ends_its_access_tokens_too(cast: Cast) -> None:
    pair = program(cast.owner.user)
    assert RestClient(pair["access"]).post("/auth/token/revoke", {"refresh": pair["refresh"]}).status_code == 204
    assert RestClient(pair["access"]).get("/me").status_code == 401


def test_all_others_are_ended_at_once(cast: Cast) -> None:
    user = cast.owner.user
    here, there, curl = browser(user), browser(user, ip="192.0.2.4"), program(user)
    assert here.post("/profile/sessions/others/end/").status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert RestClient(curl["access"]).get("/me").status_code == 401
    again, there = program(user), browser(user)
    answer = RestClient(again["access"]).post("/sessions/revoke-others")
    assert answer.json() == {"revoked": 2}
    assert RestClient(again["access"]).get("/me").status_code == 200
    assert not is_in(there) and not is_in(here)
    events = AuditEvent.objects.filter(action="account.sessions_revoked").order_by("time")
    assert [shown.params for shown in readable(events)] == [{"count": 2}, {"count": 2}]


def test_ending_the_one_at_hand_signs_out(cast: Cast) -> None:
    client = browser(cast.owner.user)
    row = UserSession.objects.get(user=cast.owner.user)
    assert client.post(f"/profile/sessions/{row.pk}/end/")["Location"] == "/account/login/"
    assert not is_in(client)
    pair = program(cast.owner.user)
    only = listed(pair["access"])[0]["id"]
    assert RestClient(pair["access"]).delete(f"/sessions/{only}").status_code == 204
    assert RestClient(pair["access"]).get("/me").status_code == 401


@pytest.mark.parametrize("person", ["stranger", "admin", "platform"])
def test_other_peoples_sign_ins_are_not_there(person: str, cast: Cast) -> None:
    user = cast.owner.user
    client, pair = browser(user), program(user)
    ids = [row["id"] for row in listed(pair["access"])]
    assert len(ids) == 2
    other = cast.person(person)
    for pk in (*ids, "0", "9" * 30, "x", "\x00"):
        assert other.rest.delete(f"/sessions/{pk}").status_code == 404, pk
    assert other.portal.post(f"/profile/sessions/{ids[1]}/end/").status_code == 404
    assert is_in(client)
    assert RestClient(pair["access"]).get("/me").status_code == 200


def test_nobody_else_ends_a_persons_sign_ins(cast: Cast) -> None:
    with pytest.raises((Forbidden, NotFound)):
        sessions.sessions_end_all(actor=cast.stranger.actor, user=cast.owner.user)
    with pytest.raises(Forbidden):
        sessions.sessions_end_all(actor=cast.admin.actor, user=cast.owner.user)


def test_the_platforms_staff_signs_a_person_out_everywhere(cast: Cast) -> None:
    user = cast.owner.user
    client, pair = browser(user), program(user)
    body = {"action": "end_sessions", "_selected_action": [str(user.pk)], "reason": "In wrong hands"}
    assert cast.platform.portal.post("/admin/accounts/user/", body).status_code == 302
    assert not is_in(client)
    assert RestClient(pair["access"]).get("/me").status_code == 401
    assert refreshed(pair["refresh"]).status_code == 401
    event = AuditEvent.objects.get(action="account.sessions_revoked")
    assert (event.actor_id, readable([event])[0].params) == (
        cast.platform.user.pk,
        {"count": 2, "because": "In wrong hands"},
    )


def ended(cast: Cast, path: str, action: str, *rows: Any, **more: str) -> str:
    """What the platform's administrator reads after the action."""
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], "reason": "Left open", **more}
    answer = cast.platform.portal.post(path, body, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


BROWSERS, PROGRAMS = "/admin/usersessions/usersession/", "/admin/accounts/refreshtoken/"


def test_the_platforms_staff_ends_one_browser_of_a_person(cast: Cast) -> None:
    user = cast.owner.user
    lost, kept, pair = browser(user), browser(user, ip="192.0.2.4"), program(user)
    (row,) = UserSession.objects.filter(user=user, ip="203.0.113.7")
    assert 'name="reason"' in ended(cast, BROWSERS, "end_browsers", row, reason="")
    assert is_in(lost)
    assert f"A sign-in of {user.name} was ended." in ended(cast, BROWSERS, "end_browsers", row)
    assert [is_in(lost), is_in(kept)] == [False, True]
    assert RestClient(pair["access"]).get("/me").status_code == 200
    (event,) = AuditEvent.objects.filter(action="account.session_revoked")
    assert (event.actor_id, event.entity_id) == (cast.platform.user.pk, str(user.pk))
    assert readable([event])[0].params == {"kind": "browser", "because": "Left open"}


def test_the_platforms_staff_ends_one_program_of_a_person(cast: Cast) -> None:
    user = cast.owner.user
    client, lost, kept = browser(user), program(user), program(user, agent="nightly/2.0")
    row = RefreshToken.objects.live().get(user=user, user_agent="curl/8.1")
    assert "nightly/2.0" in cast.platform.portal.get(PROGRAMS).content.decode()
    assert f"A sign-in of {user.name} was ended." in ended(cast, PROGRAMS, "end_programs", row)
    assert RestClient(lost["access"]).get("/me").status_code == 401
    assert refreshed(lost["refresh"]).status_code == 401
    assert (refreshed(kept["refresh"]).status_code, is_in(client)) == (200, True)
    (event,) = AuditEvent.objects.filter(action="account.session_revoked")
    assert readable([event])[0].params == {"kind": "program", "because": "Left open"}


def test_what_the_admin_lists_of_programs_is_the_live_token_of_each(cast: Cast) -> None:
    user = cast.owner.user
    pair = program(user)
    for _turn in range(2):
        pair = refreshed(pair["refresh"]).json()
    listed = cast.platform.portal.get(PROGRAMS).content.decode()
    assert RefreshToken.objects.filter(user=user).count() == 3
    assert listed.count('name="_selected_action"') == 1


def test_nobody_ends_their_own_sign_in_from_the_admin_and_stays_in_it(cast: Cast) -> None:
    assert cast.platform.portal.get("/profile/").status_code == 200
    row = UserSession.objects.get(user=cast.platform.user)
    assert "sign out instead" in ended(cast, BROWSERS, "end_browsers", row)
    assert is_in(cast.platform.portal)


def test_a_sign_in_that_has_ended_meanwhile_is_said_to_have(cast: Cast) -> None:
    user = cast.owner.user
    browser(user)
    row = UserSession.objects.get(user=user)
    Session.objects.filter(pk=row.session_key).delete()
    assert f"A sign-in of {user.name} had ended already." in ended(cast, BROWSERS, "end_browsers", row)
    assert not AuditEvent.objects.filter(action="account.session_revoked").exists()


def test_staff_of_an_organization_signs_nobody_out(cast: Cast) -> None:
    client = browser(cast.owner.user)
    cast.admin.user.is_staff = True
    cast.admin.user.save(update_fields=["is_staff"])
    body = {"action": "end_sessions", "_selected_action": [str(cast.owner.user.pk)], "reason": "None"}
    cast.admin.portal.post("/admin/accounts/user/", body)
    assert is_in(client)


def test_a_changed_password_ends_the_other_browsers_and_every_program(cast: Cast) -> None:
    """bad-K23."""
    user = cast.owner.user
    here, there, curl = browser(user), browser(user, ip="192.0.2.4"), program(user)
    new = {"oldpassword": PASSWORD, "password1": "another long phrase", "password2": "another long phrase"}
    assert here.post("/account/password/change/", new).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert RestClient(curl["access"]).get("/me").status_code == 401
    assert Session.objects.count() == 1, "this browser's"


def test_seeing_a_page_is_noted_once_a_minute(cast: Cast) -> None:
    client = browser(cast.owner.user)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    again = captured_queries(lambda: client.get("/profile/sessions/"))
    assert not [sql for sql in again if sql.startswith("UPDATE")], "no write with every page"
    client.get("/profile/sessions/", REMOTE_ADDR="192.0.2.99")
    row = UserSession.objects.get(user=cast.owner.user)
    assert row.ip == "192.0.2.99"
    assert timezone.now() - row.last_seen_at < timedelta(minutes=1)


def test_the_list_costs_as_much_for_one_as_for_twenty(cast: Cast) -> None:
    user = cast.owner.user
    client = browser(user)

    def add(number: int) -> None:
        for _number in range(number):
            other = PortalClient()
            other.force_login(user, backend="apps.accounts.backends.AccountBackend")
            other.get("/profile/")

    assert_constant_queries(lambda: client.get("/profile/sessions/"), add_rows=add)


def test_what_has_expired_is_swept_and_nothing_else(cast: Cast) -> None:
    client, pair = browser(cast.owner.user), program(cast.owner.user)
    browser(cast.viewer.user), program(cast.viewer.user)
    past = timezone.now() - timedelta(days=1)
    theirs = UserSession.objects.filter(user=cast.viewer.user)
    Session.objects.filter(pk__in=theirs.values("session_key")).update(expire_date=past)
    RefreshToken.objects.filter(user=cast.viewer.user).update(expires_at=past)
    assert sessions.sweep() == 3
    assert not UserSession.objects.filter(user=cast.viewer.user).exists()
    assert not RefreshToken.objects.filter(user=cast.viewer.user).exists()
    assert is_in(client)
    assert refreshed(pair["refresh"]).status_code == 200


def test_a_spent_refresh_token_is_kept_until_it_expires(cast: Cast) -> None:
    """Or its second use would not be noticed."""
    pair = program(cast.owner.user)
    second = refreshed(pair["refresh"]).json()
    sessions.sweep()
    assert refreshed(pair["refresh"]).status_code == 401
    assert refreshed(second["refresh"]).status_code == 401


def test_a_session_is_another_after_signing_in(cast: Cast) -> None:
    """bad-K32: a session planted before is worth nothing after."""
    client = PortalClient()
    client.get("/account/login/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = planted = session.session_key
    client.post("/account/login/", {"login": cast.owner.user.email, "password": PASSWORD})
    assert is_in(client)
    assert client.cookies["sessionid"].value != planted
    thief = PortalClient()
    thief.cookies["sessionid"] = planted
    assert not is_in(thief)


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (CHROME, "Chrome · Windows"),
        (CHROME.replace("Safari/537.36", "Safari/537.36 Edg/140.0"), "Edge · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox · Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari · iPhone",
        ),
        ("curl/8.1", "curl/8.1"),
        ("python-requests/2.32 extra words", "python-requests/2.32"),
        ("", ""),
    ],
)
def test_browsers_are_called_what_people_call_them(agent: str, client: str) -> None:
    now = timezone.now()
    assert SignIn("1", Kind.BROWSER, agent, None, now, now, False).client == client


def test_a_visit_of_nobody_is_no_sign_in(db: None) -> None:
    PortalClient().get("/account/login/")
    assert not UserSession.objects.exists()
