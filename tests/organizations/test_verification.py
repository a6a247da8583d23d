"""Whose an account is: a link proves a mailbox, and opens no account with a password that somebody else has given it."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.core.testing import RestClient
from apps.organizations.models import JoinPolicy, Membership
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.organizations import OrganizationFactory
from tests.organizations.test_sign_up import by_form, by_rest, delivered, mailed_key, token, verify
from tests.security.report import CREDENTIALS

pytestmark = [pytest.mark.django_db, pytest.mark.security(CREDENTIALS, "accounts made with somebody else's address")]
EMAIL = "colleague@acme.example"
OWN = "a passphrase of the colleague's"


@pytest.fixture
def planted() -> str:
    """A stranger has signed up with the colleague's address, at a company that takes its domain in; the mailed key."""
    OrganizationFactory(
        company="Acme", division="Vision", join_policy=JoinPolicy.DOMAIN, join_domains=["acme.example"]
    )
    by_form(EMAIL)
    return mailed_key()


def page(key: str, **query: str) -> str:
    return f"/account/confirm-email/{key}/" + ("?new" if query else "")


def is_verified() -> bool:
    return bool(EmailAddress.objects.get(email=EMAIL).verified)


def test_the_colleague_is_asked_for_a_password_and_nothing_opens_without_it(planted: str) -> None:
    colleague = Client()
    shown = colleague.get(page(planted)).content.decode()
    assert 'name="password"' in shown and "?new" in shown and "Acme · Vision" in shown
    for body in ({}, {"password": ""}, {"password": OWN}, {"new_password": OWN}):
        refused = colleague.post(page(planted), body)
        assert (refused.status_code, 'role="alert"' in refused.content.decode()) == (422, True), body
    assert not is_verified()
    assert not Membership.objects.exists()


def test_with_a_password_of_their_own_the_account_is_the_colleagues_alone(planted: str) -> None:
    colleague = Client()
    shown = colleague.get(page(planted, new="yes")).content.decode()
    assert 'name="new_password"' in shown and 'name="password"' not in shown
    short = colleague.post(page(planted, new="yes"), {"new_password": "short"})
    assert (short.status_code, is_verified()) == (422, False)
    answer = colleague.post(page(planted, new="yes"), {"new_password": OWN})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert colleague.get("/profile/").status_code == 200
    assert Membership.objects.get().user.email == EMAIL
    assert token(EMAIL).status_code == 401, "the stranger's password"
    assert RestClient().post("/auth/token", {"email": EMAIL, "password": OWN}).status_code == 200
    user = User.objects.get(email=EMAIL)
    assert user.token_generation == 1
    assert AuditEvent.objects.filter(action="account.tokens_revoked", entity_id=str(user.pk)).count() == 1
    assert "no longer good" in colleague.get(page(planted)).content.decode()


def test_over_rest_it_is_the_same(planted: str) -> None:
    assert list(verify(planted, 400, password=OWN).json()["errors"]) == ["password"]
    for proof in ({"password": ""}, {"password": PASSWORD, "new_password": OWN}):
        assert verify(planted, 400, **proof).json()["code"] == "invalid"
    assert RestClient().post("/auth/verify-email", {"key": planted}).status_code == 400
    assert list(verify(planted, 400, new_password="short").json()["errors"]) == ["new_password"]
    assert not is_verified()
    verify(planted, new_password=OWN)
    assert is_verified()
    assert token(EMAIL).status_code == 401


def test_the_password_given_at_sign_up_proves_it_in_another_browser_and_signs_in(planted: str) -> None:
    phone = Client()
    answer = phone.post(page(planted), {"password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_verified()
    assert phone.get("/profile/").status_code == 200


def test_the_browser_that_signed_up_is_asked_for_nothing() -> None:
    client = Client()
    body = {"email": EMAIL, "password1": PASSWORD, "company": "Acme"}
    delivered(client.post("/account/signup/", body))
    shown = client.get(page(mailed_key())).content.decode()
    assert 'name="password"' not in shown
    assert client.post(page(mailed_key())).status_code == 302
    assert is_verified()


def test_a_browser_that_signed_up_with_the_same_address_later_has_no_mark_of_the_account(planted: str) -> None:
    """The colleague signs up too, after the stranger: the account is the stranger's, and so is its password."""
    colleague = Client()
    delivered(colleague.post("/account/signup/", {"email": EMAIL, "password1": OWN, "company": "Acme"}))
    assert 'name="password"' in colleague.get(page(planted)).content.decode()
    assert colleague.post(page(planted)).status_code == 422
    assert not is_verified()


def test_who_signs_up_over_rest_leaves_no_mark() -> None:
    client = Client()
    body = {"email": EMAIL, "password": PASSWORD, "company": "Acme"}
    delivered(client.post("/api/v1/auth/sign-up", body, content_type="application/json"))
    assert client.post(page(mailed_key())).status_code == 422
    assert not is_verified()


def test_guessing_is_paused(planted: str) -> None:
    statuses = [
        RestClient().post("/auth/verify-email", {"key": planted, "password": f"{number} guesses"}).status_code
        for number in range(6)
    ]
    assert statuses == [400] * 5 + [429]


def further() -> tuple[User, str]:
    """Somebody with an account names the colleague's address as another one of theirs."""
    owner = UserFactory(email="owner@acme.example")
    address = EmailAddress.objects.create(user=owner, email=EMAIL, verified=False)
    return owner, EmailConfirmationHMAC(address).key


def test_a_further_address_is_confirmed_by_the_owner_of_the_account_alone() -> None:
    _owner, key = further()
    colleague = Client()
    shown = colleague.get(page(key, new="yes")).content.decode()
    assert 'name="password"' in shown and "new_password" not in shown, "the account has an owner"
    assert colleague.post(page(key, new="yes"), {"new_password": OWN}).status_code == 422
    refused = verify(key, 400, new_password=OWN).json()
    assert (refused["code"], list(refused["errors"])) == ("password_needed", ["new_password"])
    assert not is_verified()
    assert token("owner@acme.example").status_code == 200, "nothing was changed"


@pytest.mark.parametrize("way", ["signed in", "by password"])
def test_the_owner_confirms_a_further_address(way: str) -> None:
    owner, key = further()
    client = Client()
    if way == "signed in":
        client.post("/account/login/", {"login": owner.email, "password": PASSWORD})
        assert 'name="password"' not in client.get(page(key)).content.decode()
        assert client.post(page(key)).status_code == 302
    else:
        assert client.post(page(key), {"password": PASSWORD}).status_code == 302
    assert is_verified()


def test_somebody_else_who_is_signed_in_does_not_go_on_as_themselves(planted: str) -> None:
    other = UserFactory()
    client = Client()
    client.post("/account/login/", {"login": other.email, "password": PASSWORD})
    client.get(page(planted))
    assert client.session["_auth_user_id"] == str(other.pk), "opening the link changes nothing"
    client.post(page(planted), {"password": PASSWORD})
    assert client.session["_auth_user_id"] == str(User.objects.get(email=EMAIL).pk)


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
def test_an_account_that_has_a_new_password_by_mail_is_confirmed_with_that(door: Any) -> None:
    """The colleague forgets nothing: the mailed way to a new password is theirs as well."""
    door(EMAIL)
    key = mailed_key()
    user = User.objects.get(email=EMAIL)
    user.set_password(OWN)
    user.save()
    verify(key, 400)
    verify(key, password=OWN)
    assert is_verified()
