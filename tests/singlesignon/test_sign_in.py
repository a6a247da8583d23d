"""Who comes in by an organization's provider, as what, and what such a sign-in opens."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.sessions.models import Session
from django.test import Client

from apps.accounts.models import RefreshToken, User
from apps.apikeys.models import ApiKey
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Forbidden
from apps.core.identity import Actor, Role, Vouched
from apps.core.testing import Cast, PortalClient
from apps.departures import services as departures
from apps.organizations import services as organizations
from apps.organizations.models import Membership, MembershipState
from apps.singlesignon import services
from apps.singlesignon.models import Admission, Connection
from tests.accounts.conftest import App, app_of, clock  # noqa: F401
from tests.departures.support import purged, scheduled
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.invitations import invitation_to
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory
from tests.factories.singlesignon import CLIENT_SECRET
from tests.security.report import CREDENTIALS
from tests.singlesignon.provider import FakeProvider, Journey

pytestmark = pytest.mark.security(CREDENTIALS, "single sign-on")
EMAIL = "kim@acme.example"
LINK = "a-token-of-forty-three-characters-0123456789"


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("time"))


def admit(connection: Connection) -> None:
    """New people are members at once."""
    Connection.objects.filter(pk=connection.pk).update(admission=Admission.MEMBER, role=Role.ENGINEER_II)


def refused_for(response: Any) -> str:
    assert response.status_code == 403, response.content
    return str(response.context["refusal"].code)


# --- The first sign-in


def test_the_first_sign_in_makes_an_account_that_waits_for_approval(journey: Journey, connection: Connection) -> None:
    response = journey.sign_in()
    assert response.status_code == 302
    assert journey.is_in
    user = User.objects.get(email=EMAIL)
    membership = user.memberships.get()
    assert (membership.organization_id, membership.state) == (connection.organization_id, MembershipState.PENDING)
    assert membership.role == Role.ENGINEER_I
    assert not user.has_usable_password()
    assert EmailAddress.objects.get(user=user).verified
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert "asked to join" in journey.client.get("/").content.decode()
    [joined], [signed_in] = events("single_sign_on.joined"), events("account.signed_in")
    assert joined.organization_id == signed_in.organization_id == connection.organization_id
    assert readable([signed_in])[0].params == {"method": "single_sign_on", "factor_seen": False}


def test_where_the_organization_says_so_new_people_are_members_at_once(
    journey: Journey, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    membership = Membership.objects.get(user__email=EMAIL)
    assert (membership.state, membership.role) == (MembershipState.ACTIVE, Role.ENGINEER_II)
    assert journey.client.get("/projects/").status_code == 200


def test_the_second_sign_in_is_of_the_same_account_whatever_address_is_told(
    journey: Journey, connection: Connection, provider: FakeProvider
) -> None:
    admit(connection)
    journey.sign_in()
    first = User.objects.get(email=EMAIL)
    provider.person |= {"email": "married.name@acme.example"}
    again = Journey(provider)
    again.sign_in()
    assert again.is_in
    assert again.client.session["_auth_user_id"] == str(first.pk)
    assert User.objects.filter(email__endswith="acme.example").count() == 1
    assert len(events("single_sign_on.joined")) == 1
    assert len(events("account.signed_in")) == 2


def test_the_organizations_short_name_leads_to_its_provider_too(journey: Journey) -> None:
    journey.who = " Acme "
    journey.sign_in()
    assert journey.is_in


def test_one_goes_on_to_where_one_wanted_to_go_and_to_no_other_site(journey: Journey, connection: Connection) -> None:
    admit(connection)
    assert journey.sign_in(next="/datasets/")["Location"] == "/datasets/"
    assert Journey(journey.provider).sign_in(next="https://evil.example/")["Location"] == "/"


def test_the_provider_is_asked_with_a_challenge_a_state_and_a_nonce(journey: Journey, connection: Connection) -> None:
    one, two = journey.begin(), Journey(journey.provider).begin()
    assert one["code_challenge_method"] == "S256"
    assert one["response_type"] == "code"
    assert set(one["scope"].split()) == {"openid", "email", "profile"}
    assert one["redirect_uri"].endswith(f"/account/single-sign-on/{connection.pk}/callback/")
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != two[name]
        assert len(one[name]) >= 16


def test_an_address_that_only_the_user_endpoint_tells_is_taken_from_there(
    journey: Journey, provider: FakeProvider
) -> None:
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "person-1", "email": EMAIL.upper(), "email_verified": "true"}
    journey.sign_in()
    assert User.objects.filter(email=EMAIL).exists()


def test_nothing_that_the_provider_gave_is_kept(journey: Journey) -> None:
    journey.sign_in()
    assert SocialAccount.objects.get().extra_data == {}
    assert not SocialToken.objects.exists()
    for session in Session.objects.all():
        assert "of-no-use-to-anybody" not in str(session.get_decoded())
        assert CLIENT_SECRET not in str(session.get_decoded())


def test_unknown_organizations_and_ones_without_single_sign_on_get_the_same_answer(
    cast: Cast, connection: Connection, provider: FakeProvider
) -> None:
    Connection.objects.filter(pk=connection.pk).update(is_enabled=False)
    answers = []
    for who in ("acme", EMAIL, "nobody-knows-it", "kim@nowhere.example"):
        page = Client().post("/account/single-sign-on/", {"who": who})
        text = page.content.decode().replace(who, "")
        answers.append((page.status_code, text.partition("<form method")[2].partition("</main>")[0]))
    assert len({status for status, _text in answers}) == 1
    assert len({len(text) for _status, text in answers}) == 1, "but for the token of the form"
    assert provider.asked == {}


# --- Accounts that are there already


def test_an_account_of_this_organization_alone_is_joined_once_the_address_is_vouched_for(
    journey: Journey, connection: Connection
) -> None:
    membership = MembershipFactory(organization_id=connection.organization_id, user__email=EMAIL, role=Role.MANAGER)
    journey.sign_in()
    assert journey.client.session["_auth_user_id"] == str(membership.user_id)
    membership.refresh_from_db()
    assert (membership.role, membership.state) == (Role.MANAGER, MembershipState.ACTIVE), "as it was"
    assert membership.user.has_usable_password()


def test_an_account_of_another_organization_is_not_joined(journey: Journey, connection: Connection) -> None:
    user = UserFactory(email=EMAIL)
    MembershipFactory(user=user, role=Role.ADMIN)
    assert refused_for(journey.sign_in()) == "account_exists"
    MembershipFactory(user=user, organization_id=connection.organization_id)
    assert refused_for(Journey(journey.provider).sign_in()) == "account_exists", "nor as a member of both"
    assert not journey.is_in
    assert not SocialAccount.objects.exists()
    assert user.memberships.count() == 2


def test_a_further_address_of_somebody_is_not_joined(journey: Journey) -> None:
    EmailAddress.objects.create(user=UserFactory(), email=EMAIL, verified=True)
    assert refused_for(journey.sign_in()) == "account_exists"


def test_whoever_signed_up_with_an_address_that_is_not_theirs_does_not_stay_in_the_account(
    journey: Journey, connection: Connection
) -> None:
    squatter = UserFactory(email=EMAIL, address=False)
    assert not EmailAddress.objects.get(user=squatter).verified
    inside = PortalClient()
    inside.force_login(squatter, backend="apps.accounts.backends.AccountBackend")
    assert inside.get("/profile/").status_code == 200
    journey.sign_in()
    assert journey.is_in
    squatter.refresh_from_db()
    assert not squatter.has_usable_password()
    assert inside.get("/profile/").status_code == 302


def test_platform_administrators_are_never_signed_in_by_a_provider(journey: Journey, connection: Connection) -> None:
    user = UserFactory(email=EMAIL, is_superuser=True, is_staff=True)
    assert refused_for(journey.sign_in()) == "password_only"
    user.is_superuser = False
    user.save(update_fields=["is_superuser"])
    journey = Journey(journey.provider)
    journey.sign_in()
    assert journey.is_in
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])
    assert refused_for(Journey(journey.provider).sign_in()) == "password_only", "nor one who was joined before"
    assert journey.client.get("/admin/core/outboxmessage/").status_code == 403, "nor is the open session one"


def test_another_person_with_a_recycled_address_does_not_get_the_account(
    journey: Journey, provider: FakeProvider, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    provider.person |= {"sub": "person-2"}
    assert refused_for(Journey(provider).sign_in()) == "account_exists"


def test_who_is_deactivated_or_suspended_does_not_get_in(
    journey: Journey, provider: FakeProvider, cast: Cast, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    membership = Membership.objects.get(user__email=EMAIL)
    organizations.membership_suspend(actor=cast.admin.actor, membership=membership)
    assert refused_for(Journey(provider).sign_in()) == "membership_suspended"
    organizations.membership_reinstate(actor=cast.admin.actor, membership=membership)
    User.objects.filter(email=EMAIL).update(is_active=False)
    assert refused_for(Journey(provider).sign_in()) == "account_closed"


def test_the_last_seat_is_not_given_twice(journey: Journey, cast: Cast, connection: Connection) -> None:
    admit(connection)
    assert cast.admin.user
    organizations.quota_change(actor=cast.platform.actor, organization=connection.organization, max_users=1)
    assert refused_for(journey.sign_in()) == "no_seat"
    assert not User.objects.filter(email=EMAIL).exists(), "nothing of it is left"


# --- What such a sign-in opens


def test_it_opens_the_organization_that_vouches_and_no_other(journey: Journey, connection: Connection) -> None:
    admit(connection)
    journey.sign_in()
    user = User.objects.get(email=EMAIL)
    other = MembershipFactory(user=user, role=Role.ADMIN, organization__company="Elsewhere").organization
    client = journey.client
    client.post("/organization/choose/", {"organization": str(other.pk)})
    me = client.get("/api/v1/me").json()
    assert [row["organization_id"] for row in me["memberships"]] == [str(connection.organization_id)]
    assert client.get(f"/api/v1/organizations/{other.pk}").status_code == 404
    for page in ("/", "/profile/", "/organization/members/"):
        assert "Elsewhere" not in client.get(page).content.decode()
    password = PortalClient()
    user.set_password(PASSWORD)
    user.save()
    password.post("/account/login/", {"login": EMAIL, "password": PASSWORD})
    assert password.get(f"/api/v1/organizations/{other.pk}").status_code == 200, "which the password opens"


@pytest.mark.parametrize(
    "path",
    [
        "/account/email/",
        "/account/password/change/",
        "/account/password/set/",
        "/account/second-factor/webauthn/",
        "/account/second-factor/webauthn/add/",
        "/account/second-factor/totp/activate/",
        "/account/second-factor/totp/deactivate/",
        "/account/second-factor/recovery-codes/",
        "/account/second-factor/recovery-codes/download/",
        "/account/second-factor/recovery-codes/generate/",
        "/profile/delete/",
    ],
)
def test_it_changes_nothing_by_which_the_person_signs_in(journey: Journey, path: str, connection: Connection) -> None:
    admit(connection)
    journey.sign_in()
    for answer in (
        journey.client.get(path),
        journey.client.post(path, {"email": "mine@evil.example", "action_add": ""}),
    ):
        assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert EmailAddress.objects.filter(user__email=EMAIL).count() == 1


def test_it_ends_no_account(journey: Journey, connection: Connection) -> None:
    """An organization's provider could otherwise take one of its people out of everything else that they belong to."""
    admit(connection)
    journey.sign_in()
    user = User.objects.get(email=EMAIL)
    user.set_password(PASSWORD)
    user.save()
    journey = Journey(journey.provider)
    journey.sign_in()
    body = {"email": EMAIL, "password": PASSWORD}
    actor = Actor.of(user, vouched=Vouched(connection.organization_id, factor=True))
    with pytest.raises(Forbidden) as caught:
        departures.account_delete(actor=actor, user=user, email=EMAIL, heirs={})
    assert caught.value.code == "signed_in_by_organization"
    assert journey.client.post("/profile/delete/", body)["Location"] == "/profile/"
    answer = journey.client.delete("/api/v1/me", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "signed_in_by_organization")
    assert User.objects.filter(email=EMAIL).exists()
    password = PortalClient()
    password.post("/account/login/", {"login": EMAIL, "password": PASSWORD})
    assert password.post("/profile/delete/", body)["Location"] == "/account/login/"
    assert not User.objects.filter(email=EMAIL).exists() and not SocialAccount.objects.exists()


@pytest.mark.parametrize("door", ["page", "REST"])
def test_it_joins_no_other_organization_by_an_invitation(journey: Journey, connection: Connection, door: str) -> None:
    admit(connection)
    journey.sign_in()
    inviter = MembershipFactory(role=Role.ADMIN)
    invited = {"role": "guest", "token": LINK, "email": EMAIL, "invited_by": inviter.user}
    invitation_to(inviter.organization, "organization", **invited)
    if door == "page":
        answer = journey.client.post(f"/invite/{LINK}/accept/", follow=True)
        assert "another organization than the one that signed you in" in answer.content.decode()
    else:
        answer = journey.client.post(f"/api/v1/invitations/{LINK}/accept", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, "own_proof_needed")
    assert not Membership.objects.filter(user__email=EMAIL, organization=inviter.organization).exists()
    assert not RefreshToken.objects.exists()


def test_it_gets_no_tokens_which_would_outlast_it(journey: Journey, connection: Connection, cast: Cast) -> None:
    """By an invitation to something in the organization that vouches, which is accepted."""
    admit(connection)
    journey.sign_in()
    project = ProjectFactory(organization=connection.organization)
    invitation_to(project, "project", role="viewer", token=LINK, email=EMAIL, invited_by=cast.admin.user)
    answer = journey.client.post(f"/api/v1/invitations/{LINK}/accept", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["tokens"]) == (200, None)
    assert not RefreshToken.objects.exists()
    assert project.memberships.filter(user__email=EMAIL).exists()


def test_who_has_a_factor_is_asked_for_it_unless_the_provider_has_seen_one(
    journey: Journey,
    provider: FakeProvider,
    connection: Connection,
    app_of: Any,  # noqa: F811
) -> None:
    admit(connection)
    journey.sign_in()
    app: App = app_of(User.objects.get(email=EMAIL))
    asked = Journey(provider)
    response = asked.sign_in()
    assert response["Location"] == "/account/second-factor/authenticate/"
    assert not asked.is_in
    assert asked.client.get("/projects/").status_code == 302
    asked.client.post("/account/second-factor/authenticate/", {"code": app.code()})
    assert asked.is_in
    assert asked.client.session["vouched"] == {"organization_id": str(connection.organization_id), "factor": False}
    for amr in (["pwd"], ["mfa-like"], "mfa", [["mfa"]], {"mfa": 1}):
        provider.claims = {"amr": amr}
        unproven = Journey(provider)
        unproven.sign_in()
        assert not unproven.is_in, amr
    provider.claims = {"amr": ["pwd", "otp"]}
    proven = Journey(provider)
    proven.sign_in()
    assert proven.is_in


def test_a_factor_that_a_provider_saw_is_none_for_a_password_in_the_same_browser(
    journey: Journey,
    provider: FakeProvider,
    connection: Connection,
    app_of: Any,  # noqa: F811
) -> None:
    """Else the provider of one organization would open an account whose password was stolen."""
    admit(connection)
    provider.claims = {"amr": ["mfa"]}
    journey.sign_in()
    user = UserFactory()
    app_of(user)
    client = journey.client
    client.post("/account/logout/")
    client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_where_the_organization_demands_a_factor_the_providers_word_counts_for_it_alone(
    journey: Journey, provider: FakeProvider, connection: Connection
) -> None:
    admit(connection)
    organization = connection.organization
    organization.change(require_mfa=True)
    journey.sign_in()
    assert journey.client.get("/projects/")["Location"] == "/account/second-factor/"
    page = journey.client.get("/account/second-factor/").content.decode()
    assert "You are signed in by your organization" in page
    assert "/account/second-factor/totp/activate/" not in page, "by somebody who is signed in with the password"
    provider.claims = {"amr": ["mfa"]}
    proven = Journey(provider)
    proven.sign_in()
    assert proven.client.get("/projects/").status_code == 200
    assert not Authenticator.objects.exists()
    other = MembershipFactory(
        user=User.objects.get(email=EMAIL), organization__require_mfa=True, organization__company="Elsewhere"
    )
    assert proven.client.get(f"/api/v1/organizations/{other.organization_id}").status_code == 404


# --- Its end


@pytest.mark.parametrize("admission", Admission.values)
def test_an_organization_that_waits_for_its_deletion_signs_its_members_in_and_takes_nobody_in(
    admission: str, journey: Journey, cast: Cast, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    Connection.objects.filter(pk=connection.pk).update(admission=admission)
    scheduled(cast)
    member = Journey(journey.provider)
    member.sign_in()
    page = member.client.get("/projects/")
    assert page.status_code == 200 and "This organization is deleted on" in page.content.decode()
    journey.provider.person |= {"sub": "person-2", "email": "lee@acme.example"}
    assert refused_for(Journey(journey.provider).sign_in()) == "organization_closing"
    assert not User.objects.filter(email="lee@acme.example").exists()


def test_the_end_of_the_organization_ends_them_and_people_keep_their_accounts(
    journey: Journey, cast: Cast, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    assert journey.client.get("/projects/").status_code == 200
    purged(cast)
    assert journey.client.get("/projects/")["Location"].startswith("/account/login/")
    assert not SocialAccount.objects.exists()
    user = User.objects.get(email=EMAIL)
    assert user.is_active and not user.memberships.exists()
    again = Client().post("/account/single-sign-on/", {"who": EMAIL})
    assert again.status_code == 422, "as where there never was one"


@pytest.mark.parametrize("end", ["suspend", "remove", "switch off", "another client", "remove the connection"])
def test_what_lets_a_person_in_ends_the_sign_ins_made_by_it(
    end: str, journey: Journey, cast: Cast, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    bystander = Journey(journey.provider)
    journey.provider.person = {"sub": "person-2", "email": "lee@acme.example", "email_verified": True}
    bystander.sign_in()
    assert journey.client.get("/projects/").status_code == bystander.client.get("/projects/").status_code == 200
    membership = Membership.objects.get(user__email=EMAIL)
    actor = cast.admin.actor
    match end:
        case "suspend":
            organizations.membership_suspend(actor=actor, membership=membership)
        case "remove":
            organizations.membership_remove(actor=actor, membership=membership)
        case "switch off":
            services.connection_change(actor=actor, connection=connection, is_enabled=False)
        case "another client":
            services.connection_change(actor=actor, connection=connection, client_id="another")
        case _:
            services.connection_remove(actor=actor, connection=connection)
    assert journey.client.get("/projects/")["Location"].startswith("/account/login/")
    stays = end in {"suspend", "remove"}
    assert bystander.client.get("/projects/").status_code == (200 if stays else 302)


def test_who_was_removed_waits_for_approval_when_they_come_again(
    journey: Journey, provider: FakeProvider, cast: Cast, connection: Connection
) -> None:
    admit(connection)
    journey.sign_in()
    membership = Membership.objects.get(user__email=EMAIL)
    organizations.membership_remove(actor=cast.admin.actor, membership=membership)
    again = Journey(provider)
    again.sign_in()
    assert Membership.objects.get(user__email=EMAIL).state == MembershipState.PENDING
    assert again.client.get("/api/v1/me").json()["memberships"][0]["state"] == "pending"
    assert not ApiKey.objects.exists()
