"""Second factors: set up on pages, demanded at every door, and nothing goes round them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import signing
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import factors
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.identity import Role
from apps.core.testing import Cast, PortalClient, RestClient
from apps.core.testing.commits import committed
from tests.accounts.conftest import App
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.organizations import MembershipFactory
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "second factors")
AppOf = Callable[[User], App]


def sign_in(user: User, client: Client | None = None) -> tuple[Client, Any]:
    client = client or PortalClient()
    return client, client.post("/account/login/", {"login": user.email, "password": PASSWORD})


def is_in(client: Client) -> bool:
    return client.get("/profile/").status_code == 200


def challenge_of(user: User, **more: Any) -> dict[str, Any]:
    response = RestClient().post("/auth/token", {"email": user.email, "password": PASSWORD, **more})
    assert response.status_code == 401, response.content
    assert response.json()["code"] == "mfa_required"
    return response.json()["params"]


def answered(challenge: str, code: str) -> Any:
    return RestClient().post("/auth/token/mfa", {"challenge": challenge, "code": code})


def actions_of(user: User) -> list[str]:
    return list(AuditEvent.objects.filter(entity_id=str(user.pk)).order_by("time").values_list("action", flat=True))


# --- Pages


def test_an_app_is_set_up_by_its_code_and_asked_for_at_the_next_sign_in(cast: Cast, clock: list[int]) -> None:
    user = cast.owner.user
    client, _response = sign_in(user)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get("/account/second-factor/totp/activate/")
    secret = page.context["form"].secret
    app = App(secret, clock)
    assert secret in page.content.decode()
    refused = client.post("/account/second-factor/totp/activate/", {"code": app.wrong_code()})
    assert refused.status_code == 200
    assert not Authenticator.objects.filter(user=user).exists()
    with committed():
        done = client.post("/account/second-factor/totp/activate/", {"code": app.code()})
    assert done["Location"] == "/account/second-factor/recovery-codes/"
    shown = re.findall(r"<code>(\d{8})</code>", client.get(done["Location"]).content.decode())
    assert len(set(shown)) == 10
    assert secret not in str(Authenticator.objects.get(user=user, type="totp").data), "stored as ciphertext"
    assert "account.factor_added" in actions_of(user)

    other, response = sign_in(user)
    assert response["Location"].startswith("/account/second-factor/authenticate/")
    assert not is_in(other), "the password alone opens nothing"
    assert other.post(response["Location"], {"code": app.wrong_code()}).status_code == 200
    assert not is_in(other)
    other.post(response["Location"], {"code": app.next_code()})
    assert is_in(other)
    assert "account.factor_failed" in actions_of(user)


def test_a_code_of_the_app_is_good_once_and_a_recovery_code_too(cast: Cast, app_of: AppOf) -> None:
    user = cast.owner.user
    app = app_of(user)
    recovery = RecoveryCodes.activate(user).get_unused_codes()[0]
    for code in (app.code(), recovery):
        first, response = sign_in(user)
        first.post(response["Location"], {"code": code})
        assert is_in(first)
        second, response = sign_in(user)
        second.post(response["Location"], {"code": code})
        assert not is_in(second)
    assert "account.recovery_code_used" in actions_of(user)


def test_a_factor_is_added_and_removed_only_by_who_has_just_proven_themselves(cast: Cast, app_of: AppOf) -> None:
    """A session that lies open is not enough."""
    user = cast.owner.user
    paths = ["/account/second-factor/totp/activate/", "/account/second-factor/webauthn/add/"]
    for path in paths:
        assert "reauthenticate" in cast.owner.portal.get(path)["Location"]
    app = app_of(user)
    path = "/account/second-factor/totp/deactivate/"
    assert "reauthenticate" in cast.owner.portal.post(path)["Location"]
    assert Authenticator.objects.filter(user=user).exists()
    asked = cast.owner.portal.get(path)["Location"]
    cast.owner.portal.post("/account/second-factor/reauthenticate/", {"code": app.code()})
    cast.owner.portal.post(path)
    assert asked and not Authenticator.objects.filter(user=user).exists()
    assert "account.factor_removed" in actions_of(user)


# --- The admin has no door of its own


def test_the_admins_own_sign_in_leads_to_the_portals(cast: Cast, app_of: AppOf) -> None:
    platform = cast.platform.user
    app = app_of(platform)
    body = {"username": platform.email, "password": PASSWORD, "email": platform.email}
    staff = UserFactory(is_staff=True)
    signed_in_staff = PortalClient()
    signed_in_staff.force_login(staff, backend="apps.accounts.backends.AccountBackend")
    for client in (PortalClient(), signed_in_staff):
        client.post("/admin/login/?next=/admin/", body)
        assert client.session.get("_auth_user_id") in {None, str(staff.pk)}
    client = PortalClient()
    response = client.get("/admin/", follow=True)
    assert response.request["PATH_INFO"] == "/account/login/"
    _client, response = sign_in(platform, client)
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == "/account/second-factor/authenticate/"
    client.post(response["Location"], {"code": app.code()})
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/password_change/")["Location"] == "/account/password/change/"


# --- Programs


def test_a_program_gets_a_challenge_and_with_a_code_its_tokens(cast: Cast, app_of: AppOf) -> None:
    user = cast.owner.user
    app = app_of(user)
    params = challenge_of(user, organization_id=str(cast.owner.organization_id))
    assert params["methods"] == ["totp"]
    pair = answered(params["challenge"], app.code()).json()
    assert pair["organization_id"] == str(cast.owner.organization_id)
    assert RestClient(pair["access"]).get("/me").json()["email"] == user.email
    assert RestClient().post("/auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 200


def test_the_challenge_is_good_once(cast: Cast, app_of: AppOf) -> None:
    app = app_of(cast.owner.user)
    challenge = challenge_of(cast.owner.user)["challenge"]
    assert answered(challenge, app.code()).status_code == 200
    again = answered(challenge, app.next_code())
    assert (again.status_code, again.json()["code"]) == (401, "challenge_invalid")


def test_a_code_of_the_app_is_good_once_for_programs_too(cast: Cast, app_of: AppOf) -> None:
    """bad-K29."""
    app = app_of(cast.owner.user)
    assert answered(challenge_of(cast.owner.user)["challenge"], app.code()).status_code == 200
    replayed = answered(challenge_of(cast.owner.user)["challenge"], app.code())
    assert (replayed.status_code, replayed.json()["code"]) == (401, "mfa_failed")


def test_guessing_codes_is_stopped_whatever_challenge_they_come_with(cast: Cast, app_of: AppOf, settings: Any) -> None:
    """bad-K30."""
    app = app_of(cast.owner.user)
    answers = [factors_answer(challenge_of(cast.owner.user)["challenge"], app.wrong_code()) for _number in range(5)]
    assert answers == ["mfa_failed"] * 5
    assert factors_answer(challenge_of(cast.owner.user)["challenge"], app.code()) == "too_many_attempts"


def factors_answer(challenge: str, code: str) -> str:
    # From many addresses: the endpoint's own limit counts by address.
    factors_answer.calls = getattr(factors_answer, "calls", 0) + 1  # type: ignore[attr-defined]
    client = RestClient(REMOTE_ADDR=f"203.0.113.{factors_answer.calls % 250}")  # type: ignore[attr-defined]
    return str(client.post("/auth/token/mfa", {"challenge": challenge, "code": code}).json().get("code"))


def test_a_recovery_code_does_for_programs_and_is_one_less(cast: Cast, app_of: AppOf) -> None:
    user = cast.owner.user
    app_of(user)
    code = RecoveryCodes.activate(user).get_unused_codes()[3]
    assert challenge_of(user)["methods"] == ["recovery_codes", "totp"]
    assert answered(challenge_of(user)["challenge"], code).status_code == 200
    assert answered(challenge_of(user)["challenge"], code).status_code == 401


def test_a_challenge_of_ones_own_making_or_of_before_is_refused(
    cast: Cast, app_of: AppOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = cast.owner.user
    app = app_of(user)
    good = challenge_of(user)["challenge"]
    content = signing.loads(good, salt=factors.SALT)
    for forged in ("", "x", good[:-2] + "zz", signing.dumps(content, salt="another"), "\x00", "x" * 1001):
        assert answered(forged, app.code()).status_code in {400, 401}, forged
    monkeypatch.setattr(factors, "CHALLENGE_SECONDS", -1)
    assert answered(good, app.code()).json()["code"] == "challenge_invalid"
    monkeypatch.undo()


def test_a_challenge_ends_with_the_password_it_was_got_by(cast: Cast, app_of: AppOf) -> None:
    user = cast.owner.user
    app = app_of(user)
    good = challenge_of(user)["challenge"]
    user.change(token_generation=user.token_generation + 1)
    assert answered(good, app.code()).json()["code"] == "challenge_invalid"


def test_a_challenge_opens_nothing_by_itself(cast: Cast, app_of: AppOf) -> None:
    app_of(cast.owner.user)
    challenge = challenge_of(cast.owner.user)["challenge"]
    assert RestClient(challenge).get("/me").status_code == 401
    assert RestClient().post("/auth/token/refresh", {"refresh": challenge[:200]}).status_code == 401


def test_a_wrong_password_is_told_nothing_of_a_factor(cast: Cast, app_of: AppOf) -> None:
    plain = cast.viewer.user
    app_of(cast.owner.user)
    answers = [
        RestClient().post("/auth/token", {"email": email, "password": "wrong"})
        for email in (cast.owner.user.email, plain.email, "nobody@example.com")
    ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1


def test_what_is_no_code_is_refused(cast: Cast, app_of: AppOf) -> None:
    app_of(cast.owner.user)
    challenge = challenge_of(cast.owner.user)["challenge"]
    for code in ("", " ", "000000000000000000000", "\x00", "١٢٣٤٥٦"):
        assert answered(challenge, code).status_code in {400, 401}, repr(code)


# --- Organizations that demand one


@pytest.fixture
def demanding(cast: Cast) -> Cast:
    """The first organization demands a second factor; tokens are from before."""
    assert cast.owner.token
    cast.sample("organization").change(require_mfa=True)
    return cast


def test_members_without_one_reach_only_the_page_that_sets_one_up(demanding: Cast) -> None:
    client = demanding.owner.portal
    for path in ("/", "/projects/", demanding.path("/projects/{project}/"), "/profile/"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, "/account/second-factor/"), path
    assert client.get("/account/second-factor/").status_code == 200
    assert "reauthenticate" in client.get("/account/second-factor/totp/activate/")["Location"]


def test_their_programs_are_told_why(demanding: Cast) -> None:
    token = demanding.owner.token
    for path in ("/projects", demanding.path("/projects/{project}"), "/organizations"):
        response = RestClient(token).get(path)
        assert (response.status_code, response.json()["code"]) == (403, "mfa_setup_required"), path
    assert RestClient(token).post("/ws-tickets").status_code == 403
    assert RestClient(token).get("/me").status_code == 200
    body = {"email": demanding.owner.user.email, "password": PASSWORD}
    assert RestClient().post("/auth/token", body).json()["code"] == "mfa_setup_required"


def test_a_refresh_waits_for_the_factor_and_is_not_spent(cast: Cast, app_of: AppOf) -> None:
    body = {"email": cast.owner.user.email, "password": PASSWORD}
    refresh = RestClient().post("/auth/token", body).json()["refresh"]
    cast.sample("organization").change(require_mfa=True)
    refused = RestClient().post("/auth/token/refresh", {"refresh": refresh})
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_setup_required")
    app_of(cast.owner.user)
    assert RestClient().post("/auth/token/refresh", {"refresh": refresh}).status_code == 200


def test_members_with_one_go_on(demanding: Cast, app_of: AppOf) -> None:
    token = demanding.owner.token
    app_of(demanding.owner.user)
    assert RestClient(token).get(demanding.path("/projects/{project}")).status_code == 200
    assert demanding.owner.portal.get(demanding.path("/projects/{project}/")).status_code == 200


def test_recovery_codes_alone_are_no_factor(demanding: Cast) -> None:
    RecoveryCodes.activate(demanding.owner.user)
    assert RestClient(demanding.owner.token).get("/projects").status_code == 403


def test_other_organizations_stay_open(demanding: Cast) -> None:
    other = MembershipFactory(user=demanding.owner.user, role=Role.ADMIN).organization
    client = demanding.owner.portal
    assert client.get("/projects/").status_code == 200, "the one that is open is chosen"
    assert client.get(demanding.path("/projects/{project}/")).status_code == 404
    client.post("/organization/choose/", {"organization": str(demanding.owner.organization_id)})
    assert client.get("/projects/")["Location"] == "/account/second-factor/"
    client.post("/organization/choose/", {"organization": str(other.pk)})
    assert client.get("/projects/").status_code == 200


def test_staff_without_one_see_nothing_of_it_in_the_admin(demanding: Cast) -> None:
    demanding.admin.user.is_staff = True
    demanding.admin.user.save(update_fields=["is_staff"])
    name = demanding.sample("project").name
    response = demanding.admin.portal.get("/admin/projects/project/")
    assert response.status_code in {200, 403}
    assert name not in response.content.decode()


def test_only_administrators_demand_it_and_only_with_one_of_their_own(cast: Cast, app_of: AppOf) -> None:
    path = cast.path("/organizations/{organization}")
    assert cast.owner.token
    assert cast.manager.rest.patch(path, {"require_mfa": True}).status_code == 403
    refused = cast.admin.rest.patch(path, {"require_mfa": True})
    assert (refused.status_code, refused.json()["code"]) == (400, "mfa_setup_required")
    app_of(cast.admin.user)
    answer = cast.admin.rest.patch(path, {"require_mfa": True})
    assert (answer.status_code, answer.json()["require_mfa"]) == (200, True)
    assert cast.owner.rest.get("/projects").status_code == 403
    event = AuditEvent.objects.filter(action="organization.changed").latest("time")
    (shown,) = readable([event])
    assert shown.after == {"require_mfa": True}
    assert cast.admin.rest.patch(path, {"require_mfa": False}).status_code == 200
    assert cast.owner.rest.get("/projects").status_code == 200


def test_the_settings_page_and_the_admin_demand_it_too(cast: Cast, app_of: AppOf) -> None:
    organization = cast.sample("organization")
    fields = {"company": organization.company, "join_policy": "approval", "join_role": "guest", "require_mfa": "on"}
    refused = cast.admin.portal.post("/organization/settings/", fields)
    assert refused.status_code == 422
    assert "second factor of your own" in refused.content.decode()
    app_of(cast.admin.user)
    assert cast.admin.portal.post("/organization/settings/", fields).status_code == 302
    organization.refresh_from_db()
    assert organization.require_mfa
    app_of(cast.platform.user)
    path = f"/admin/organizations/organization/{organization.pk}/change/"
    form = cast.platform.portal.get(path).context["adminform"].form.initial
    inline = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    body = {name: value for name, value in form.items() if value is not None and name != "require_mfa"} | inline
    assert cast.platform.portal.post(path, body).status_code == 302
    organization.refresh_from_db()
    assert not organization.require_mfa
