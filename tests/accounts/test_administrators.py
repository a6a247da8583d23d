"""How an administrator of the platform comes to be: by the command, and by the demo."""

import io
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from modelyard.management.commands import createsuperuser, demo

from apps.accounts.models import User
from apps.accounts.services import user_deactivate
from apps.audit.models import AuditEvent
from apps.core.errors import DomainError
from apps.core.identity import Actor
from apps.departures.services import person_erase
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db
EMAIL, PASSWORD = "chief@example.com", "a long passphrase"


def created(email: str = EMAIL, **options: Any) -> str:
    out = io.StringIO()
    call_command("createsuperuser", email=email, interactive=False, stdout=out, **options)
    return out.getvalue()


def may_enter(email: str, password: str) -> bool:
    """Signs in at the portal, as people do, then opens the admin."""
    client = Client()
    client.post("/account/login/", {"login": email, "password": password})
    return client.get("/admin/").status_code == 200


def test_the_command_creates_an_administrator_who_signs_in_without_a_mail(monkeypatch: Any, mailoutbox: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    assert EMAIL in created()
    assert may_enter(EMAIL, PASSWORD)
    assert mailoutbox == []
    assert AuditEvent.objects.filter(action="account.created").count() == 1


def test_the_command_asks_for_what_was_not_given(monkeypatch: Any) -> None:
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    monkeypatch.setattr("builtins.input", lambda _text: EMAIL)
    monkeypatch.setattr(createsuperuser.getpass, "getpass", lambda _text: PASSWORD)
    call_command("createsuperuser", email="", stdout=io.StringIO())
    assert may_enter(EMAIL, PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [(EMAIL, "", "DJANGO_SUPERUSER_PASSWORD"), (EMAIL, "short", "too short"), ("no address", PASSWORD, "valid e")],
)
def test_the_command_says_what_is_wrong(monkeypatch: Any, email: str, password: str, words: str) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    with pytest.raises(CommandError, match=words):
        created(email)
    assert not User.objects.exists()


def test_the_command_refuses_an_address_that_is_taken(monkeypatch: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    created()
    with pytest.raises(CommandError, match="taken"):
        created()


def test_the_demo_has_one_administrator_whose_password_it_keeps() -> None:
    first, second = demo.administrator(), demo.administrator()
    assert first == second
    assert User.objects.count() == 1
    assert may_enter(demo.ADMIN_EMAIL, first)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ["disable", "erase"])
def test_two_who_end_each_other_at_once_leave_one(end: str) -> None:
    admins = [UserFactory(is_staff=True, is_superuser=True) for _number in range(2)]
    barrier = threading.Barrier(2)
    refused: list[str] = []

    def act(own: User, other: User) -> None:
        try:
            actor = Actor.of(own)
            barrier.wait(10)
            if end == "disable":
                user_deactivate(actor=actor, user=other)
            else:
                person_erase(actor=actor, user=other, reason="At once")
        except DomainError as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=pair) for pair in (admins, admins[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refused == ["last_platform_admin"]
    assert User.objects.active().filter(is_superuser=True).count() == 1
