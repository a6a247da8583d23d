"""How an administrator of the platform comes to be: by the command, and by the demo."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from modelyard.management.commands import createsuperuser, demo

from apps.accounts.models import User
from apps.audit.models import AuditEvent

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
