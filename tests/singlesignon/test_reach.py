"""What lies beside the organization that vouches: a provider, who can sign in as any of its people, reaches none of it."""

from typing import Any

import pytest

from apps.accounts.models import User
from apps.core.identity import Actor, Role
from apps.core.testing import PortalClient
from apps.organizations.models import Membership, MembershipState, Organization
from apps.projects.services import project_create
from apps.singlesignon.models import Admission, Connection
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
