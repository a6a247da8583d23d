"""Sign-up by form and over REST, verification, and what becomes of the company that was asked for."""

import re
from typing import Any
from unittest.mock import Mock

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict
from apps.core.identity import Actor, Role
from apps.core.outbox.models import OutboxMessage
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import RestClient
from apps.organizations import services
from apps.organizations.models import JoinPolicy, Membership, MembershipState, Organization
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db
KEY = re.compile(r"/account/confirm-email/([^/\s]+)/")


def by_rest(email: str, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    body = {"email": email, "password": PASSWORD, "company": "Acme", "division": "Vision", **changes}
    return delivered(RestClient().post("/auth/sign-up", body, headers=headers))


def by_form(email: str, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    body = {"email": email, "password1": PASSWORD, "company": "Acme", "division": "Vision", **changes}
    return delivered(Client(headers=headers).post("/account/signup/", body))


def delivered(answer: Any) -> Any:
    """The answer, after the worker has done what was asked for."""
    deliver_waiting()
    return answer


def mailed_key() -> str:
    found = KEY.search(str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found.group(1)


def verify(key: str, status: int = 204, **proof: str) -> Any:
    """By the password given at sign-up, unless another proof is named."""
    response = RestClient().post("/auth/verify-email", {"key": key, **(proof or {"password": PASSWORD})})
    assert response.status_code == status, response.content
    return response


def token(email: str) -> Any:
    return RestClient().post("/auth/token", {"email": email, "password": PASSWORD})


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
def test_known_and_unknown_addresses_get_the_same_answer(door: Any) -> None:
    UserFactory(email="known@example.com")
    answers = [door(email) for email in ("known@example.com", "unknown@example.com")]
    known, unknown = ((answer.status_code, answer.get("Location"), answer.content) for answer in answers)
    assert known == unknown
    assert [message.to for message in mail.outbox] == [["known@example.com"], ["unknown@example.com"]]
    assert not KEY.search(str(mail.outbox[0].body)), "the owner of the address is told, nothing is confirmed"
    assert User.objects.count() == 2


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
def test_a_new_company_becomes_an_organization_administered_by_its_first_person(door: Any) -> None:
    door("First@Example.com")
    assert not Organization.objects.exists(), "nothing before the address is verified"
    assert token("first@example.com").status_code == 401
    verify(mailed_key())
    membership = Membership.objects.get()
    assert (membership.role, membership.state) == (Role.ADMIN, MembershipState.ACTIVE)
    assert str(membership.organization) == "Acme · Vision"
    answer = token("first@example.com").json()
    assert (answer["organization_id"], answer["role"]) == (str(membership.organization_id), "admin")


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
@pytest.mark.parametrize(("accepted", "language"), [("ko-KR,ko;q=0.9", "ko"), ("en-US", "en"), ("de", "en")])
def test_the_language_of_the_request_becomes_the_profiles(door: Any, accepted: str, language: str) -> None:
    door("first@example.com", headers={"accept-language": accepted})
    assert User.objects.get().language == language


def test_korean_pages_of_a_visitor_stay_korean_after_sign_in(client: Client) -> None:
    client.post("/i18n/set-language/", {"language": "ko"})
    body = {"email": "first@example.com", "password1": PASSWORD, "company": "Acme"}
    delivered(client.post("/account/signup/", body))
    verify(mailed_key())
    elsewhere = Client(headers={"accept-language": "en"})
    elsewhere.post("/account/login/", {"login": "first@example.com", "password": PASSWORD})
    assert '<html lang="ko"' in elsewhere.get("/profile/").content.decode()


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
def test_an_existing_company_gives_a_pending_membership_without_any_right(door: Any) -> None:
    organization = OrganizationFactory(company="ACME", division="vision")
    door("second@example.com", company=" acme ")
    verify(mailed_key())
    membership = Membership.objects.get(user__email="second@example.com")
    assert membership.organization == organization
    assert (membership.state, Organization.objects.count()) == (MembershipState.PENDING, 1)
    answer = token("second@example.com").json()
    assert (answer["organization_id"], answer["role"]) == (None, None)
    client = RestClient(answer["access"])
    assert client.get("/organizations").json()["results"] == []
    assert client.get(f"/organizations/{organization.pk}").status_code == 404
    assert client.post("/projects", {"name": "Mine"}).status_code == 404


def test_a_company_that_invites_only_gets_no_membership() -> None:
    OrganizationFactory(company="Acme", division="Vision", join_policy=JoinPolicy.INVITATION)
    by_rest("third@example.com")
    verify(mailed_key())
    assert not Membership.objects.exists()
    assert AuditEvent.objects.filter(action="membership.requested").count() == 1


def test_a_key_works_once_and_unknown_keys_never(client: Client) -> None:
    by_rest("first@example.com")
    key = mailed_key()
    verify(key)
    for bad in (key, "unknown", "x" * 300, key[:-1] + "A"):
        assert verify(bad, 400).json()["code"] == "key_invalid"
    assert Membership.objects.count() == 1


def test_an_old_key_is_refused(settings: Any, client: Client) -> None:
    by_rest("first@example.com")
    settings.ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = -1
    verify(mailed_key(), 400)
    assert token("first@example.com").status_code == 401


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"password": "bad@example.com"}, "password"),
        ({"company": ""}, "company"),
        ({"company": "<script>"}, "company"),
        ({"company": "x" * 121}, "company"),
        ({"division": "a\nb"}, "division"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_refused_with_its_field_and_creates_nobody(changes: dict[str, str], field: str) -> None:
    response = by_rest(changes.pop("email", "bad@example.com"), **changes)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not User.objects.exists()
    assert mail.outbox == []


def test_sign_up_takes_no_role_and_no_organization() -> None:
    organization = OrganizationFactory()
    by_rest("sly@example.com", role="admin", organization=str(organization.pk), is_superuser=True, is_staff=True)
    verify(mailed_key())
    user = User.objects.get()
    assert (user.is_superuser, user.is_staff) == (False, False)
    assert not Membership.objects.filter(organization=organization).exists()


def test_the_wish_is_acted_on_once() -> None:
    user = UserFactory(signup_company="Acme")
    services.organization_join(actor=Actor.of(user), user=user)
    with pytest.raises(Conflict) as caught:
        services.organization_join(actor=Actor.of(user), user=user)
    assert caught.value.code == "nothing_requested"


def test_a_member_who_asks_again_keeps_the_role() -> None:
    membership = MembershipFactory(role=Role.ADMIN, organization__company="Acme")
    membership.user.change(signup_company="acme")
    services.organization_join(actor=Actor.of(membership.user), user=membership.user)
    membership.refresh_from_db()
    assert (membership.role, membership.state) == (Role.ADMIN, MembershipState.ACTIVE)


def test_many_sign_ups_from_one_address_are_slowed_down() -> None:
    statuses = [by_rest(f"person{number}@example.com").status_code for number in range(11)]
    assert statuses == [202] * 10 + [429]
    refused = by_rest("late@example.com")
    assert int(refused["Retry-After"]) > 0
    assert refused.json()["code"] == "throttled"


def test_a_mail_that_did_not_get_through_is_sent_again_for_the_account_that_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.message.EmailMessage.send", Mock(side_effect=OSError("no server")))
        by_rest("first@example.com")
    assert User.objects.count() == 1
    OutboxMessage.objects.update(available_at=timezone.now())
    deliver_waiting()
    verify(mailed_key())
    assert token("first@example.com").status_code == 200


def test_what_waits_to_be_acted_on_names_nobody() -> None:
    RestClient().post("/auth/sign-up", {"email": "first@example.com", "password": PASSWORD, "company": "Acme"})
    (message,) = OutboxMessage.objects.all()
    assert not [word for word in ("first", "Acme", "md5", PASSWORD) if word in str(message.payload)]
