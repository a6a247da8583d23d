"""Passwords forgotten, reset and changed, by people and by programs: nobody learns who has an account here, and what
the old one had opened is closed."""

import re
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth import authenticate

from apps.audit.models import AuditEvent
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import Cast, PortalClient, RestClient
from tests.factories.accounts import PASSWORD, UserFactory
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "passwords")
NEW = "another long phrase"


def forgot(email: str, **headers: Any) -> Any:
    answer = RestClient(**headers).post("/auth/password/forgot", {"email": email})
    deliver_waiting()
    return answer


def reset(key: str, password: str = NEW) -> Any:
    return RestClient().post("/auth/password/reset", {"key": key, "password": password})


def mailed_key(mailoutbox: Any) -> str:
    found = re.search(r"/account/password/reset/key/([^/\s]+)/", mailoutbox[-1].body)
    assert found
    return found[1]


def tokens(user: Any, password: str = PASSWORD) -> Any:
    return RestClient().post("/auth/token", {"email": user.email, "password": password})


def test_known_unknown_inactive_and_unverified_addresses_get_the_same_answer(cast: Cast, mailoutbox: Any) -> None:
    people = [cast.owner.user, UserFactory(is_active=False), UserFactory(address=False)]
    emails = [*(user.email for user in people), "nobody@example.com"]
    answers = [forgot(email) for email in emails]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    pages = [PortalClient().post("/account/password/reset/", {"email": email}) for email in emails]
    deliver_waiting()
    assert {(page.status_code, page["Location"], page.content) for page in pages} == {
        (302, "/account/password/reset/done/", b"")
    }
    shown = [PortalClient().get("/account/password/reset/done/").content for _email in emails]
    assert not [email for email in emails for page in shown if email.encode() in page]
    assert len(mailoutbox) == 2 * len(emails), "every address is mailed something, so that the time tells nothing"


def test_a_mailbox_is_not_filled_by_others_and_the_answer_does_not_tell(cast: Cast, mailoutbox: Any) -> None:
    for email in (cast.owner.user.email, "nobody@example.com"):
        before = len(mailoutbox)
        answers = [forgot(email, REMOTE_ADDR=f"203.0.113.{number}") for number in range(8)]
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
        assert len(mailoutbox) - before == 5


def test_a_program_resets_the_password_by_the_mailed_key_once(cast: Cast, mailoutbox: Any) -> None:
    """bad-K28."""
    user = cast.owner.user
    pair, session = tokens(user).json(), cast.owner.portal
    assert session.get("/profile/").status_code == 200
    forgot(user.email)
    key = mailed_key(mailoutbox)
    assert reset(key).status_code == 204
    assert reset(key, "yet another phrase").json()["code"] == "key_invalid"
    assert RestClient(pair["access"]).get("/me").status_code == 401
    assert RestClient().post("/auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert session.get("/profile/").status_code == 302
    assert tokens(user).status_code == 401
    assert tokens(user, NEW).status_code == 200
    assert AuditEvent.objects.filter(action="account.tokens_revoked", entity_id=str(user.pk)).count() == 1


def test_a_reset_is_no_way_round_the_second_factor(cast: Cast, mailoutbox: Any) -> None:
    TOTP.activate(cast.owner.user, "JBSWY3DPEHPK3PXP")
    forgot(cast.owner.user.email)
    reset(mailed_key(mailoutbox))
    assert tokens(cast.owner.user, NEW).json()["code"] == "mfa_required"


@pytest.mark.parametrize("password", ["short", "", "password12", "a" * 201])
def test_a_weak_password_spends_no_key(password: str, cast: Cast, mailoutbox: Any) -> None:
    forgot(cast.owner.user.email)
    key = mailed_key(mailoutbox)
    refused = reset(key, password)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["password"]
    assert reset(key).status_code == 204


@pytest.mark.parametrize("key", ["x", "-", "zz-zz", "1-set-password", "\x00", "%00", "9" * 300])
def test_unknown_keys_are_refused(key: str, cast: Cast) -> None:
    assert reset(key).status_code == 400


def changed(client: Any, old: str = PASSWORD, new: str = NEW) -> Any:
    return client.post("/auth/password/change", {"old_password": old, "password": new})


def test_a_program_changes_the_password_and_starts_anew(cast: Cast) -> None:
    user = cast.owner.user
    pair = tokens(user).json()
    assert cast.owner.portal.get("/profile/").status_code == 200
    assert changed(RestClient(pair["access"])).status_code == 204
    assert RestClient(pair["access"]).get("/me").status_code == 401
    assert cast.owner.portal.get("/profile/").status_code == 302
    assert authenticate(None, email=user.email, password=NEW) == user


def test_the_old_password_is_asked_for_and_guessing_it_is_paused(cast: Cast) -> None:
    client = RestClient(cast.owner.token)
    for _number in range(5):
        refused = changed(client, old="not the password")
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["old_password"])
    assert changed(client).json()["code"] == "too_many_attempts"
    assert tokens(cast.owner.user).status_code == 429, "the same pair"


def test_a_weak_new_password_is_refused(cast: Cast) -> None:
    refused = changed(RestClient(cast.owner.token), new="short")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["password"])
    assert tokens(cast.owner.user).status_code == 200


def test_nobody_changes_a_password_without_signing_in(db: None) -> None:
    assert changed(RestClient()).status_code == 401
