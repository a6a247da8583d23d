"""A choice among rows of which there may be any number: a list while they are few, a search beyond."""

from typing import Any

import pytest
from django import forms

from apps.accounts.models import User
from apps.core.portal import PersonChoiceField, choices
from apps.core.testing import Cast
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "LISTED", 3)
    monkeypatch.setattr(choices, "OFFERED", 2)


class Form(forms.Form):
    user = PersonChoiceField(queryset=User.objects.none(), empty_label="Choose")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["user"]
        field.queryset = User.objects.order_by("name")


def people(count: int) -> list[User]:
    return [UserFactory(name=f"Kim {number}", email=f"kim{number}@example.com") for number in range(count)]


def typed(text: str) -> Form:
    form = Form({"user": text})
    form.is_valid()
    return form


def test_few_are_a_list() -> None:
    found = people(3)
    shown = str(Form()["user"])
    assert "<select" in shown and shown.count("<option") == 4 and "Kim 2 (kim2@example.com)" in shown
    assert typed(str(found[1].pk)).cleaned_data["user"] == found[1]
    assert not typed("Kim 1").is_valid()


def test_of_many_none_is_listed_and_what_is_typed_is_looked_for() -> None:
    found = people(4)
    shown = str(Form()["user"])
    assert 'type="search"' in shown and "Kim" not in shown
    for text in (str(found[2].pk), "kim2@example.com", "KIM 2", " kim2@ "):
        form = typed(text)
        assert form.cleaned_data["user"] == found[2], text
        again = str(form["user"])
        assert "<select" in again and f'value="{found[2].pk}" selected' in again, "the form may come back"


def test_of_several_that_are_found_one_is_chosen_from_a_list() -> None:
    people(4)
    others = [UserFactory(name=f"Lee {number}", email=f"lee{number}@example.com") for number in range(2)]
    form = typed("lee")
    assert form.errors == {"user": ["Several are found: choose one of them."]}
    shown = str(form["user"])
    assert all(f'value="{other.pk}"' in shown for other in others) and "Kim" not in shown
    assert typed(str(others[1].pk)).cleaned_data["user"] == others[1]


def test_of_too_many_none_is_listed_and_more_can_be_typed() -> None:
    people(4)
    form = typed("kim")
    assert form.errors == {"user": ["More than 2 are found: type more of the name."]}
    shown = str(form["user"])
    assert 'type="search"' in shown and 'value="kim"' in shown and "Kim" not in shown, "there is more to type"


@pytest.mark.parametrize("text", ["nobody", "%", "\0", "' or 1=1", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_found(text: str) -> None:
    people(4)
    assert "user" in typed(text).errors


def test_a_name_that_is_part_of_others_is_meant_when_it_is_typed_whole() -> None:
    people(4)
    short = UserFactory(name="Kim", email="only@example.com")
    assert typed("kim").cleaned_data["user"] == short


def test_what_a_form_begins_with_is_named() -> None:
    found = people(4)
    assert 'value="kim3@example.com"' in str(Form(initial={"user": found[3].pk})["user"])


def test_the_portal_searches_only_among_those_that_the_person_may_choose(cast: Cast) -> None:
    project = cast.sample("project")
    newcomers = [MembershipFactory(organization=project.organization).user for _number in range(4)]
    path = f"/projects/{project.pk}/members/"
    text = cast.owner.portal.get(path).content.decode()
    assert newcomers[0].email not in text and 'type="search"' in text
    foreign = cast.owner.portal.post(f"{path}add/", {"user": cast.stranger.user.email, "role": "viewer"})
    assert (foreign.status_code, "Nothing of this name is here." in foreign.content.decode()) == (422, True)
    assert cast.owner.portal.post(f"{path}add/", {"user": newcomers[2].email, "role": "viewer"}).status_code == 302
    assert project.memberships.filter(user=newcomers[2]).exists()
