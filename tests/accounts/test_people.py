"""People: their avatar names, profiles, and how they come to be."""

import re

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.names import ADJECTIVES, NOUNS, avatar_name
from apps.accounts.services import profile_update, user_create
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, Forbidden, Invalid
from apps.core.identity import Actor
from apps.core.testing import Cast
from tests.factories.accounts import UserFactory


def test_an_avatar_name_is_an_adjective_a_noun_and_a_number() -> None:
    for _number in range(200):
        adjective, noun, number = avatar_name().split("-")
        assert adjective in ADJECTIVES
        assert noun in NOUNS
        assert re.fullmatch(r"[1-9]\d\d", number)
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(NOUNS)) == len(NOUNS)


@pytest.mark.django_db
def test_a_person_without_a_name_gets_an_avatar_name() -> None:
    user = User.objects.create_user("Somebody@Example.COM")
    assert user.email == "somebody@example.com"
    assert len(user.name.split("-")) == 3


def test_only_platform_administrators_and_commands_create_people(cast: Cast) -> None:
    arguments = {"email": "new@example.com", "password": "a long passphrase"}
    for person in (cast.admin, cast.manager, cast.stranger, cast.anonymous):
        with pytest.raises(Forbidden):
            user_create(actor=person.actor, **arguments)
    assert user_create(actor=cast.platform.actor, **arguments).emailaddress_set.get().verified
    with pytest.raises(Conflict) as caught:
        user_create(actor=Actor.system("test"), **{**arguments, "email": " NEW@example.com "})
    assert caught.value.code == "email_taken"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [({"password": "short"}, "password"), ({"email": "no address"}, "email"), ({"name": "<b>"}, "name")],
)
def test_a_person_with_bad_input_is_not_created(changes: dict[str, str], field: str) -> None:
    arguments = {"email": "new@example.com", "password": "a long passphrase", **changes}
    with pytest.raises(Invalid) as caught:
        user_create(actor=Actor.system("test"), **arguments)
    assert list(caught.value.fields) == [field]
    assert not User.objects.exists()


def test_a_profile_is_changed_by_its_own_person_only(cast: Cast) -> None:
    response = cast.owner.rest.patch("/me", {"name": "New name", "language": "ko", "theme": "dark"})
    assert response.json()["name"] == "New name"
    assert response.json()["language"] == "ko"
    with pytest.raises(Forbidden):
        profile_update(actor=cast.admin.actor, user=cast.owner.user, name="Taken over")
    cast.owner.user.refresh_from_db()
    assert cast.owner.user.name == "New name"


@pytest.mark.parametrize(
    "body",
    [
        {"is_superuser": True},
        {"is_staff": True},
        {"email": "other@example.com"},
        {"token_generation": 9},
        {"organization_id": "x"},
        {"memberships": [{"role": "admin"}]},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_profile_takes_no_rights(cast: Cast, body: dict[str, object]) -> None:
    user = cast.owner.user
    before = (user.email, user.is_superuser, user.is_staff, user.token_generation, user.memberships.get().role)
    assert cast.owner.rest.patch("/me", body).status_code in {200, 400}
    user.refresh_from_db()
    assert (user.email, user.is_superuser, user.is_staff, user.token_generation, user.memberships.get().role) == before


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": "<script>"}, {"name": "x" * 81}, {"language": "xx"}, {"theme": "neon"}, {"name": None}],
)
def test_a_bad_profile_is_refused_with_its_field(cast: Cast, body: dict[str, object]) -> None:
    response = cast.owner.rest.patch("/me", body)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == list(body)


def test_unknown_profile_fields_are_a_typed_error_of_the_service(cast: Cast) -> None:
    with pytest.raises(Invalid):
        profile_update(actor=cast.owner.actor, user=cast.owner.user, is_staff=True)


def test_a_profile_change_is_audited_with_its_values_hidden(cast: Cast) -> None:
    profile_update(actor=cast.owner.actor, user=cast.owner.user, name="Very personal", language="ko")
    event = AuditEvent.objects.get(action="account.profile_changed")
    (shown,) = readable([event])
    assert (shown.after["language"], shown.after["name"]) == ("ko", "Very personal")
    assert "Very personal" not in str([event.entity_name, event.after, event.actor_person, event.terms])


@pytest.mark.django_db
@pytest.mark.parametrize("theme", ["dark", "light", "system"])
def test_a_theme_is_kept_in_a_cookie_and_nothing_else_is(client: Client, theme: str) -> None:
    response = client.post("/profile/theme/", {"theme": theme, "next": "https://evil.example/x"})
    assert response.cookies["theme"].value == theme
    assert response["Location"] == "/", "never to another host"
    refused = client.post("/profile/theme/", {"theme": "neon"})
    assert "theme" not in refused.cookies


def test_people_see_colleagues_and_guests_see_themselves(cast: Cast) -> None:
    everybody = [cast.owner, cast.manager, cast.guest, cast.stranger]
    assert {person.user for person in everybody[:3]} <= set(User.objects.visible(cast.owner.actor))
    assert cast.stranger.user not in User.objects.visible(cast.owner.actor)
    assert set(User.objects.visible(cast.guest.actor)) == {cast.guest.user}
    assert set(User.objects.visible(cast.stranger.actor)) == {cast.stranger.user}


@pytest.mark.django_db
def test_addresses_are_unique_whatever_their_case() -> None:
    UserFactory(email="one@example.com")
    with pytest.raises(Exception, match="user_email_unique"):
        User(email="ONE@example.com").save()
