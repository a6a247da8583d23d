"""Who has an account here: no door tells a stranger, neither by its answer nor by the time that it takes.

`make test` compares answers and the statements that the database is asked; `make security` measures as well, with
hashing that is cheap enough to hide nothing in its own length and its swings.
"""

import gc
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core.identity import Actor, Role, Via
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import Cast
from apps.invitations.services import sending
from apps.organizations.services import token_issue
from tests.factories.accounts import PASSWORD as FACTORYS
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory
from tests.security.report import FULL, PROOFS

PASSWORD = "a passphrase of nobody's"
SAMPLES = 2000
#: Area under the curve: how often a guess by time alone is right; 0.5 is a coin.
MOST_AUC = 0.55


class ShortHasher(PBKDF2PasswordHasher):
    """One hashing more or less is some milliseconds, which shows; the usual hundreds of them would hide the rest."""

    iterations = 10_000


@dataclass(frozen=True)
class Door:
    """`body(email)` is posted to `path`, by who may invite where `signed_in`."""

    path: str
    body: Callable[[str], dict[str, str]]
    signed_in: bool = False

    def post(self, email: str, caller: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if self.signed_in else {}
        body = self.body(email)
        client = Client(REMOTE_ADDR=caller, headers=headers)
        if self.path.startswith("/api/"):
            return client.post(self.path, body, content_type="application/json")
        return client.post(self.path, body)


def signing_up(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "password1": PASSWORD, "company": "Acme", "division": "Vision"}


DOORS = {
    "sign-in by page": Door("/account/login/", lambda email: {"login": email, "password": PASSWORD}),
    "sign-in over REST": Door("/api/v1/auth/token", lambda email: {"email": email, "password": PASSWORD}),
    "password reset by page": Door("/account/password/reset/", lambda email: {"email": email}),
    "password reset over REST": Door("/api/v1/auth/password/forgot", lambda email: {"email": email}),
    "sign-up by page": Door("/account/signup/", signing_up),
    "sign-up over REST": Door("/api/v1/auth/sign-up", signing_up),
}


def inviting(kind: str, target: Any) -> Door:
    role = {"organization": "guest", "project": "viewer"}[kind]
    body = {"target_type": kind, "target_id": str(target.pk), "role": role}
    return Door("/api/v1/invitations", lambda email: {**body, "email": email}, signed_in=True)


@pytest.fixture
def callers() -> Iterator[str]:
    """Each asks from an address of its own: limits by address are not what is measured."""
    return (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in count(1))


# --- Answers


def shown(answer: Any, email: str) -> tuple[Any, ...]:
    """What is said, without what differs between any two answers: address, ids, times, CSRF token."""
    text = answer.content.decode().replace(email, "")
    lines = [line for line in text.splitlines() if "csrf" not in line]
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z?", "*", "\n".join(lines))
    varying = {
        "X-Request-ID",
        "Content-Length",
        "Expires",
        *(name for name in answer.headers if name.startswith("RateLimit")),
    }
    headers = {name: value for name, value in answer.headers.items() if name not in varying}
    return answer.status_code, re.sub(r"nonce-\S+|Max-Age=\d+", "*", str(headers)), tuple(sorted(answer.cookies)), text


def asked_of_database(queries: CaptureQueriesContext) -> list[str]:
    """The statements without their values."""
    found = [re.sub(r"'(?:[^']|'')*'(?:::\w+)?", "?", query["sql"]) for query in queries.captured_queries]
    return [re.sub(r"\bs\d+_x\d+\b|\b\d+(?:\.\d+)?\b|\b(?:true|false|NULL)\b", "?", sql) for sql in found]


def people() -> dict[str, str]:
    """An address of each kind; the last one is nobody's."""
    return {
        "known": UserFactory(email="known@example.com").email,
        "unverified": UserFactory(email="fresh@example.com", address=False).email,
        "disabled": UserFactory(email="ended@example.com", is_active=False).email,
        "member of another organization": MembershipFactory(user__email="other@example.com").user.email,
        "unknown": "nobdy@example.com",
    }


def compare(door: Door, callers: Iterator[str], token: str = "") -> None:
    door.post("first@example.com", next(callers), token)  # what is cached by the first is not asked again
    answers, statements = {}, {}
    for kind, email in people().items():
        with CaptureQueriesContext(connection) as queries:
            answers[kind] = shown(door.post(email, next(callers), token), email)
        statements[kind] = asked_of_database(queries)
    for kind, answer in answers.items():
        assert answer == answers["unknown"], kind
        assert statements[kind] == statements["unknown"], kind


@pytest.mark.security(PROOFS, "who has an account, told by an answer or by what the database is asked")
@pytest.mark.django_db
@pytest.mark.parametrize("name", DOORS)
def test_the_door_answers_and_works_the_same_for_every_address(name: str, callers: Iterator[str]) -> None:
    compare(DOORS[name], callers)


@pytest.mark.security(PROOFS, "who has an account, told by an answer or by what the database is asked")
@pytest.mark.parametrize("kind", ["organization", "project"])
def test_an_invitation_answers_and_works_the_same_for_every_address(
    kind: str, cast: Cast, callers: Iterator[str]
) -> None:
    compare(inviting(kind, cast.sample(kind)), callers, cast.admin.token)


SIGN_INS = [name for name in DOORS if name.startswith("sign-in")]
SIGN_UPS = [name for name in DOORS if name.startswith("sign-up")]


def signed_up(door: Door, callers: Iterator[str]) -> list[str]:
    """Addresses that a stranger has signed up with `PASSWORD`, known ones and a new one, after the workers' turn."""
    for email in people().values():
        assert door.post(email, next(callers)).status_code in (202, 302)
    deliver_waiting()
    made = User.objects.get(email="nobdy@example.com")
    assert made.check_password(PASSWORD) and not made.emailaddress_set.filter(verified=True).exists()
    return list(User.objects.values_list("email", flat=True))


@pytest.mark.security(PROOFS, "who has an account, told by signing in with the password of a sign-up just made")
@pytest.mark.django_db
@pytest.mark.parametrize("sign_up", SIGN_UPS)
@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_a_sign_up_and_a_sign_in_together_tell_nothing(sign_up: str, sign_in: str, callers: Iterator[str]) -> None:
    emails = signed_up(DOORS[sign_up], callers)
    assert "nobdy@example.com" in emails and "known@example.com" in emails
    door = DOORS[sign_in]
    door.post("first@example.com", next(callers))  # what is cached by the first is not asked again
    answers, statements = {}, {}
    for email in [*emails, "not-even-signed-up@example.com"]:
        with CaptureQueriesContext(connection) as queries:
            answers[email] = shown(door.post(email, next(callers)), email)
        statements[email] = asked_of_database(queries)
    known = "known@example.com"
    for email, answer in answers.items():
        assert answer == answers[known], email
        assert statements[email] == statements[known], email


@pytest.mark.django_db
@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_the_pause_after_failures_tells_nothing_either(sign_in: str, callers: Iterator[str]) -> None:
    """The right password of an account that is not verified counts as a failure, and forgets none."""
    signed_up(DOORS["sign-up over REST"], callers)
    door = DOORS[sign_in]
    caller = {email: next(callers) for email in ("known@example.com", "nobdy@example.com")}
    for number in range(7):
        # The seconds of a pause run on between the two.
        answers = {re.sub(r"\d+", "*", str(shown(door.post(email, caller[email]), email))) for email in caller}
        assert len(answers) == 1, number
    (last,) = answers
    assert "Too many failed attempts" in last


@pytest.mark.django_db
@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_the_mailbox_gets_another_link_for_the_right_password_and_none_for_a_wrong_one(
    sign_in: str, callers: Iterator[str], own_cache: Callable[[], None]
) -> None:
    UserFactory(email="mine@example.com", address=False)
    UserFactory(email="disabled@example.com", address=False, is_active=False)
    UserFactory(email="verified@example.com", is_active=False)
    door = DOORS[sign_in]

    def mailed(email: str, password: str) -> list[list[str]]:
        body = {**door.body(email), "password": password}
        Door(door.path, lambda email: body).post(email, next(callers))
        mail.outbox.clear()
        deliver_waiting()
        return [message.to for message in mail.outbox]

    assert mailed("mine@example.com", PASSWORD) == []
    for email in ("disabled@example.com", "verified@example.com", "nobody@example.com"):
        assert mailed(email, FACTORYS) == []
    assert mailed("Mine@example.com", FACTORYS) == [["mine@example.com"]]
    (key,) = re.findall(r"/account/confirm-email/([^/\s]+)/", str(mail.outbox[-1].body))
    assert mailed("mine@example.com", FACTORYS) == [], "the link of a moment ago is still good"
    own_cache()
    assert mailed("mine@example.com", FACTORYS) == [["mine@example.com"]]
    body = {"key": key, "password": FACTORYS}
    verified = Client().post("/api/v1/auth/verify-email", body, content_type="application/json")
    assert verified.status_code == 204
    answer = Client().post("/account/login/", {"login": "mine@example.com", "password": FACTORYS})
    assert (answer.status_code, answer["Location"]) == (302, "/")


# --- Time


def auc(some: list[float], others: list[float]) -> float:
    """How often one of `some` is longer than one of `others`; ties count half. Mann and Whitney's, by ranks."""
    ordered = sorted([(value, 1) for value in some] + [(value, 0) for value in others])
    ranks, start = 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        # Equal values share the mean of their ranks.
        ranks += (start + end + 1) / 2 * sum(mine for _value, mine in ordered[start:end])
        start = end
    return (ranks - len(some) * (len(some) + 1) / 2) / (len(some) * len(others))


def test_the_measure_finds_a_small_difference_and_none_where_there_is_none() -> None:
    dice = random.Random(4)
    quick, same, slow = ([dice.gauss(mean, 1.0) for _number in range(SAMPLES // 2)] for mean in (10, 10, 10.3))
    assert auc([1, 2], [3, 4]) == 0 and auc([3, 4], [1, 2]) == 1
    assert auc([1, 1, 2], [1, 1, 2]) == 0.5
    assert abs(auc(quick, same) - 0.5) < 0.04
    assert auc(slow, quick) > MOST_AUC


def strangers(number: int, dice: random.Random) -> list[str]:
    return [f"{dice.randbytes(8).hex()}@example.com" for _number in range(number)]


def registered(
    number: int, dice: random.Random, *, password: str = "the password of everybody", verified: bool = True
) -> list[str]:
    """Addresses of so many people with one and the same password."""
    encoded = make_password(password)
    users = [User(email=email, password=encoded) for email in strangers(number, dice)]
    User.objects.bulk_create(users)
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=user, email=user.email, primary=True, verified=verified) for user in users]
    )
    return [user.email for user in users]


def seconds(door: Door, email: str, caller: str, token: str) -> float:
    began = time.perf_counter()
    answer = door.post(email, caller, token)
    took = time.perf_counter() - began
    assert answer.status_code < 500 and answer.status_code != 429, answer.content
    return took


def measured(door: Door, callers: Iterator[str], token: str = "", known: list[str] | None = None) -> float:
    """The area under the curve, of samples taken in turns whose order within a pair is drawn."""
    dice = random.Random(7)
    addresses = {True: known or registered(SAMPLES // 2, dice), False: strangers(SAMPLES // 2, dice)}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for email in strangers(20, dice):
        seconds(door, email, next(callers), token)
    taken: dict[bool, list[float]] = {True: [], False: []}
    gc.collect()
    gc.disable()
    try:
        for pair in range(SAMPLES // 2):
            for is_known in dice.sample([True, False], 2):
                taken[is_known].append(seconds(door, addresses[is_known][pair], next(callers), token))
            if pair % 50 == 0:
                gc.collect()
    finally:
        gc.enable()
    return auc(taken[True], taken[False])


def judge(name: str, found: float, record_property: Any) -> None:
    record_property("tried", SAMPLES)
    record_property("found", f"{name}: AUC {found:.3f}")
    assert 1 - MOST_AUC <= found <= MOST_AUC, f"{name}: {found:.3f}"


TIMED = pytest.mark.security(PROOFS, f"who has an account, told by time: samples, AUC at most {MOST_AUC}")
AT_FULL = pytest.mark.skipif(not FULL, reason="a figure of 2,000 samples: `make security`")


@pytest.fixture
def short_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.ShortHasher"]


@TIMED
@AT_FULL
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", DOORS)
def test_time_does_not_tell(name: str, callers: Iterator[str], short_hashing: None, record_property: Any) -> None:
    judge(name, measured(DOORS[name], callers), record_property)


@TIMED
@AT_FULL
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", SIGN_INS)
def test_the_time_of_a_sign_in_does_not_tell_whether_a_sign_up_made_an_account(
    name: str, callers: Iterator[str], short_hashing: None, record_property: Any
) -> None:
    made = registered(SAMPLES // 2, random.Random(5), password=PASSWORD, verified=False)
    judge(f"{name}, signed up before", measured(DOORS[name], callers, known=made), record_property)


@TIMED
@AT_FULL
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["organization", "project"])
def test_the_time_of_an_invitation_does_not_tell(
    kind: str, callers: Iterator[str], monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    for bound in ("MAX_PENDING", "MOST_A_DAY"):
        monkeypatch.setattr(sending, bound, 10 * SAMPLES)
    admin = MembershipFactory(role=Role.ADMIN)
    target = admin.organization if kind == "organization" else ProjectFactory(organization=admin.organization)
    actor = Actor.of(admin.user, organization_id=admin.organization_id, via=Via.TOKEN)
    token = token_issue(actor=actor, organization_id=admin.organization_id).access
    judge(f"invitation to the {kind}", measured(inviting(kind, target), callers, token), record_property)
