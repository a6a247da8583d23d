"""What lies beside the organization that vouches: a provider, who can sign in as any of its people, reaches none of it."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.utils import timezone

from apps.accounts.models import User
from apps.apikeys.models import ApiKey
from apps.apikeys.services import key_create
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, PortalClient, RestClient
from apps.organizations.models import Membership, MembershipState, Organization
from apps.projects.services import project_create
from apps.singlesignon import services
from apps.singlesignon.models import Admission, Connection
from tests.accounts.conftest import app_of, clock  # noqa: F401
from tests.factories.accounts import PASSWORD
from tests.factories.organizations import OrganizationFactory
from tests.security.report import CREDENTIALS
from tests.singlesignon.provider import FakeProvider, Journey

pytestmark = pytest.mark.security(CREDENTIALS, "single sign-on")
EMAIL = "kim@acme.example"
SECRET = "Merger of which nobody knows"


@pytest.fixture
def kim(journey: Journey, connection: Connection) -> User:
    """Came by the provider, has a password by now, and has joined another organization."""
    Connection.objects.filter(pk=connection.pk).update(admission=Admission.MEMBER, role=Role.ENGINEER_II)
    journey.sign_in()
    user = User.objects.get(email=EMAIL)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def elsewhere(kim: User) -> Organization:
    other: Organization = OrganizationFactory(company="Elsewhere")
    Membership.objects.create(organization=other, user=kim, role=Role.ADMIN, state=MembershipState.ACTIVE)
    project_create(actor=Actor.of(kim, organization_id=other.pk), organization=other, name=SECRET)
    return other


@pytest.fixture
def vouched(kim: User, provider: FakeProvider) -> Any:
    """The provider's operator, as Kim."""
    journey = Journey(provider)
    journey.sign_in()
    return journey.client


@pytest.fixture
def own(kim: User) -> PortalClient:
    """Kim, by the password."""
    client = PortalClient()
    client.post("/account/login/", {"login": EMAIL, "password": PASSWORD})
    return client


@pytest.mark.parametrize(
    "path",
    ["/api/v1/audit-logs/me", "/api/v1/audit-logs/me/export?as=csv", "/api/v1/audit-logs/me/export?as=jsonl"],
)
def test_what_the_person_did_elsewhere_is_not_told(
    vouched: Any, own: PortalClient, elsewhere: Organization, path: str
) -> None:
    def told(client: Any) -> str:
        answer = client.get(path)
        assert answer.status_code == 200
        return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()

    own.post("/organization/choose/", {"organization": str(elsewhere.pk)})
    assert SECRET in told(own)
    assert SECRET not in told(vouched)


@pytest.fixture
def key(kim: User, connection: Connection) -> ApiKey:
    """Kim's own, made while signed in by the password."""
    actor = Actor.of(kim, organization_id=connection.organization_id)
    ends = timezone.now() + timedelta(days=30)
    fields: dict[str, Any] = {"name": "own", "scopes": ["projects.view_project"], "expires_at": ends}
    return key_create(actor=actor, organization=connection.organization, **fields)[0]


def test_it_makes_no_secret_of_a_key_which_would_outlast_it(vouched: Any, own: PortalClient, key: ApiKey) -> None:
    body = {
        "name": "stays",
        "scopes": ["projects.view_project"],
        "expires_at": (timezone.now() + timedelta(days=300)).isoformat(),
    }
    for path, asked, done in (
        ("/api/v1/api-keys", body, 201),
        (f"/api/v1/api-keys/{key.pk}/rotate", {"overlap_hours": 0}, 200),
    ):
        refused = vouched.post(path, asked, content_type="application/json")
        assert (refused.status_code, refused.json()["code"]) == (403, "signed_in_by_organization")
        assert own.post(path, asked, content_type="application/json").status_code == done
    key.refresh_from_db()
    assert key.secrets.count() == 2, "the first, and the one that the password has made"
    assert ApiKey.objects.count() == 2
    for ask in (vouched.get, vouched.post):
        assert ask("/api-keys/new/")["Location"] == "/api-keys/"
    page = vouched.get("/api-keys/").content.decode()
    assert "You are signed in by your organization" in page and 'href="/api-keys/new/"' not in page
    assert 'href="/api-keys/new/"' in own.get("/api-keys/").content.decode()


def test_it_changes_no_password_for_programs_neither(vouched: Any, own: PortalClient, kim: User) -> None:
    body = {"old_password": PASSWORD, "password": "another long passphrase 7"}
    refused = vouched.post("/api/v1/auth/password/change", body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "signed_in_by_organization")
    kim.refresh_from_db()
    assert kim.check_password(PASSWORD)
    assert own.post("/api/v1/auth/password/change", body, content_type="application/json").status_code == 204


def test_a_session_that_got_another_key_ends_with_the_others(vouched: Any, connection: Connection, cast: Cast) -> None:
    session = vouched.session
    session.cycle_key()
    vouched.cookies["sessionid"] = session.session_key
    assert vouched.get("/projects/").status_code == 200
    services.connection_remove(actor=cast.admin.actor, connection=connection)
    assert vouched.get("/projects/")["Location"].startswith("/account/login/")


def test_it_sets_up_no_second_factor_with_which_it_would_lock_the_person_out(journey: Journey, kim: User) -> None:
    """Also of somebody who has neither a password nor a factor, of whom allauth asks nothing first."""
    path = "/account/second-factor/totp/activate/"
    kim.set_unusable_password()
    kim.save()
    bare = Journey(journey.provider)
    bare.sign_in()
    for answer in (bare.client.get(path), bare.client.post(path, {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert not Authenticator.objects.exists()
    kim.set_password(PASSWORD)
    kim.save()
    client = PortalClient()
    assert client.post("/account/login/", {"login": EMAIL, "password": PASSWORD})["Location"] == "/"
    assert client.get(path)["Location"].startswith("/account/reauthenticate/")
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert client.get(path).status_code == 200


def test_it_reads_no_recovery_codes(
    kim: User,
    provider: FakeProvider,
    app_of: Any,  # noqa: F811
) -> None:
    app_of(kim)
    codes = RecoveryCodes.activate(kim).get_unused_codes()
    provider.claims = {"amr": ["otp"]}
    proven = Journey(provider)
    proven.sign_in()
    assert proven.is_in
    for path in ("/account/second-factor/", "/account/second-factor/recovery-codes/"):
        page = proven.client.get(path, follow=True)
        assert page.status_code == 200 and codes[0] not in page.content.decode()
    assert proven.client.get("/account/second-factor/recovery-codes/download/")["Location"] == "/profile/"


def test_sign_ins_that_it_has_not_opened_are_neither_told_nor_ended(
    vouched: Any, own: PortalClient, provider: FakeProvider
) -> None:
    program = RestClient(RestClient().post("/auth/token", {"email": EMAIL, "password": PASSWORD}).json()["access"])
    other = Journey(provider)
    other.sign_in()
    mine = own.get("/api/v1/sessions").json()
    assert len(mine) == 4, "two of the provider's, the password's and the program"
    theirs = vouched.get("/api/v1/sessions").json()
    assert [row["is_current"] for row in theirs] == [True, False]
    page, whole = (client.get("/profile/sessions/").content.decode() for client in (vouched, own))
    assert ("its sign-ins alone" in page, "its sign-ins alone" in whole) == (True, False)
    for pk in {row["id"] for row in mine} - {row["id"] for row in theirs}:
        assert f"/profile/sessions/{pk}/end/" not in page
        assert vouched.delete(f"/api/v1/sessions/{pk}").status_code == 404
        assert vouched.post(f"/profile/sessions/{pk}/end/").status_code == 404
    assert vouched.post("/api/v1/sessions/revoke-others").json() == {"revoked": 1}
    assert other.client.get("/projects/").status_code == 302
    vouched.post("/profile/sessions/others/end/")
    assert own.get("/projects/").status_code == program.get("/projects").status_code == 200
    assert own.post("/api/v1/sessions/revoke-others").json() == {"revoked": 2}
    assert vouched.get("/projects/").status_code == 302


def test_it_does_not_rename_the_person(vouched: Any, own: PortalClient, kim: User) -> None:
    refused = vouched.patch("/api/v1/me", {"name": "Mallory"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "signed_in_by_organization")
    fields = {"name": "Mallory", "language": "ko", "time_zone": "Asia/Seoul", "theme": "dark"}
    assert "disabled" in vouched.get("/profile/").content.decode().partition('name="name"')[2].partition(">")[0]
    assert vouched.post("/profile/", fields).status_code == 302
    kim.refresh_from_db()
    assert (kim.name != "Mallory", kim.language) == (True, "ko"), "the rest is a matter of taste"
    assert own.patch("/api/v1/me", {"name": "Kim"}, content_type="application/json").status_code == 200
