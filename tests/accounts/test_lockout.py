"""Guessing of passwords is paused for one address and one caller, longer each time, and nobody else notices."""

import re
from typing import Any

import pytest
from django.core.cache import cache

from apps.accounts.services import lockout
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import TooManyRequests
from apps.core.testing import Cast, PortalClient, RestClient
from tests.factories.accounts import PASSWORD
from tests.security.report import CREDENTIALS

pytestmark = pytest.mark.security(CREDENTIALS, "lockout")
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"
WRONG = "not the password"


def by_rest(email: str, password: str, ip: str = HERE) -> Any:
    return RestClient(REMOTE_ADDR=ip).post("/auth/token", {"email": email, "password": password})


def by_page(email: str, password: str, ip: str = HERE, client: Any = None) -> Any:
    return (client or PortalClient()).post("/account/login/", {"login": email, "password": password}, REMOTE_ADDR=ip)


def test_after_five_failures_the_right_password_waits_too(cast: Cast) -> None:
    email = cast.owner.user.email
    assert [by_rest(email, WRONG).status_code for _number in range(5)] == [401] * 5
    refused = by_rest(email, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert 25 <= int(refused["Retry-After"]) <= 30


def test_both_doors_count_together(cast: Cast) -> None:
    email = cast.owner.user.email
    for number in range(5):
        (by_rest if number % 2 else by_page)(email, WRONG)
    client = PortalClient()
    page = by_page(email, PASSWORD, client=client)
    assert "Too many failed attempts" in page.content.decode()
    assert "_auth_user_id" not in client.session
    assert by_rest(email.upper(), PASSWORD).status_code == 429, "the address in other letters is the same"


def test_the_person_signs_in_from_elsewhere_and_others_from_there(cast: Cast) -> None:
    for _number in range(6):
        by_rest(cast.owner.user.email, WRONG)
    assert by_rest(cast.owner.user.email, PASSWORD, ELSEWHERE).status_code == 200
    client = PortalClient()
    by_page(cast.owner.user.email, PASSWORD, ELSEWHERE, client)
    assert "_auth_user_id" in client.session
    assert by_rest(cast.viewer.user.email, PASSWORD).status_code == 200


def test_known_and_unknown_addresses_get_the_same_answers(cast: Cast) -> None:
    def answers(door: Any, email: str, ip: str) -> list[tuple[int, str]]:
        found = [door(email, WRONG, ip) for _number in range(7)]
        return [(answer.status_code, worded(answer, email)) for answer in found]

    # From four addresses: the endpoint's own limit counts by address.
    known, unknown = cast.owner.user.email, "nobody@example.com"
    rest = answers(by_rest, known, HERE)
    assert rest == answers(by_rest, unknown, ELSEWHERE)
    assert [status for status, _text in rest] == [401] * 5 + [429] * 2
    assert answers(by_page, known, "192.0.2.1") == answers(by_page, unknown, "192.0.2.2")


def worded(answer: Any, email: str) -> str:
    """What is said, without what differs between any two answers: address, seconds, CSRF token."""
    lines = [line for line in answer.content.decode().replace(email, "").splitlines() if "csrf" not in line]
    return re.sub(r"\b[23]\d\b", "30", "\n".join(lines))


def test_pauses_grow_to_an_hour() -> None:
    assert [lockout.pause_seconds(number) for number in (5, 6, 7, 8, 11, 12, 500)] == [
        30,
        60,
        120,
        240,
        1920,
        3600,
        3600,
    ]


def failures(number: int, email: str = "a@example.com", ip: str = HERE) -> None:
    for _number in range(number):
        lockout.attempt(email, ip)
        cache.delete(lockout._keys(email, ip)[1])  # as if the pause were over


def test_every_further_failure_pauses_longer_and_a_success_forgets_them() -> None:
    failures(7)
    lockout.attempt("a@example.com", HERE)
    with pytest.raises(TooManyRequests) as refusal:
        lockout.attempt("a@example.com", HERE)
    assert 235 <= refusal.value.params["retry_after"] <= 240
    lockout.forget("a@example.com", HERE)
    for _number in range(5):
        lockout.attempt("a@example.com", HERE)


def test_the_addresses_of_one_network_of_ipv6_are_one_caller() -> None:
    for number in range(5):
        lockout.attempt("a@example.com", f"2001:db8:1:1::{number:x}")
    with pytest.raises(TooManyRequests):
        lockout.attempt("a@example.com", "2001:db8:1:1:ffff::1")
    lockout.attempt("a@example.com", "2001:db8:1:2::1")


def test_a_pause_is_in_the_audit_log_once(cast: Cast) -> None:
    for _number in range(8):
        by_rest(cast.owner.user.email, WRONG)
    event = AuditEvent.objects.get(action="account.sign_in_paused")
    assert event.entity_id == str(cast.owner.user.pk)
    (shown,) = readable([event])
    assert shown.params == {"failures": 5, "seconds": 30}
    assert AuditEvent.objects.filter(action="account.sign_in_failed").count() == 5


def test_a_reset_of_the_password_ends_the_pause(cast: Cast, mailoutbox: Any) -> None:
    email = cast.owner.user.email
    for _number in range(5):
        by_page(email, WRONG)
    client = PortalClient(REMOTE_ADDR=HERE)
    client.post("/account/password/reset/", {"email": email})
    link = next(word for word in mailoutbox[-1].body.split() if "/account/password/reset/key/" in word)
    form = client.get(link[link.index("/account/") :], follow=True)
    body = {"password1": "another long phrase", "password2": "another long phrase"}
    client.post(form.request["PATH_INFO"], body)
    assert by_rest(email, "another long phrase").status_code == 200
