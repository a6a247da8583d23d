"""Inviting in the admin, one address or a file of them, to whatever people can be invited to (T6, T12)."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.core.testing import Cast
from apps.invitations.models import Invitation

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/invitations/invitation/from-file/"
ADD = "/admin/invitations/invitation/add/"


def asked(cast: Cast, content: bytes, sample: str = "organization") -> dict[str, object]:
    file = SimpleUploadedFile("people.csv", content, "text/csv")
    return {
        "to_organization": str(cast.sample(sample).pk),
        "file": file,
        "role": "organization:engineer_i",
        "message": "",
    }


def addresses() -> set[str]:
    return set(Invitation.objects.values_list("email", flat=True))


def test_people_of_a_file_are_invited_and_each_line_is_told(cast: Cast) -> None:
    portal = cast.platform.portal
    assert ADDRESS in portal.get("/admin/invitations/invitation/").content.decode()
    answer = portal.post(ADDRESS, asked(cast, b"email,role\nnew@example.com,guest\nnobody\nother@example.com\n"))
    text = answer.content.decode()
    assert answer.status_code == 200
    assert [text.count(word) for word in ("new@example.com", "This is no e-mail address.", "other@example.com")] == [
        1
    ] * 3
    assert dict(Invitation.objects.values_list("email", "role")) == {
        "new@example.com": "guest",
        "other@example.com": "engineer_i",
    }


@pytest.mark.parametrize(
    ("button", "page"),
    [("_save", ADD.replace("add/", "")), ("_continue", ADD.replace("add/", "")), ("_addanother", ADD)],
)
def test_a_member_joins_at_once_and_the_answer_leads_to_no_invitation(cast: Cast, button: str, page: str) -> None:
    project, colleague = cast.sample("project"), cast.member.user
    given = {"to_project": str(project.pk), "email": colleague.email, "role": "project:viewer", "message": ""}
    answer = cast.platform.portal.post(ADD, given | {button: "1"}, follow=True)
    assert answer.redirect_chain == [(page, 302)]
    assert [str(message) for message in answer.context["messages"]] == ["The member joined at once."]
    assert project.memberships.filter(user=colleague).exists()
    assert addresses() == set()


def test_what_is_no_file_of_addresses_invites_nobody(cast: Cast) -> None:
    portal = cast.platform.portal
    for content, said in (
        (b"\xff\xfe", "not UTF-8"),
        (b"\n", "contains no address"),
        (b"a@b.example," * 30_000, "256 KiB"),
    ):
        answer = portal.post(ADDRESS, asked(cast, content))
        assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert addresses() == set()


def test_an_administrator_of_one_organization_invites_to_no_other(cast: Cast) -> None:
    person = cast.stranger
    User.objects.filter(pk=person.user.pk).update(is_staff=True)
    answer = person.portal.post(ADDRESS, asked(cast, b"new@example.com\n"))
    assert answer.status_code == 422
    assert cast.canary not in answer.content.decode()
    assert addresses() == set()
    assert person.portal.post(ADDRESS, asked(cast, b"new@example.com\n", "foreign-organization")).status_code == 200
    assert addresses() == {"new@example.com"}


def test_whoever_may_not_invite_is_not_offered_it(cast: Cast) -> None:
    person = cast.viewer
    User.objects.filter(pk=person.user.pk).update(is_staff=True)
    assert person.portal.get(ADDRESS).status_code in {302, 403}
    assert person.portal.post(ADDRESS, asked(cast, b"new@example.com\n")).status_code in {302, 403}
    assert addresses() == set()


def test_it_speaks_korean(cast: Cast) -> None:
    User.objects.filter(pk=cast.platform.user.pk).update(language="ko")
    text = cast.platform.portal.get(ADDRESS).content.decode()
    assert "파일" in text


def to(cast: Cast, kind: str, role: str, **fields: Any) -> dict[str, Any]:
    return {
        f"to_{kind}": str(cast.sample(kind).pk),
        "email": "new@example.com",
        "role": f"{kind}:{role}",
        **fields,
    }


@pytest.mark.parametrize(("kind", "role"), [("organization", "guest"), ("project", "editor"), ("dataset", "use")])
def test_one_address_is_invited_to_any_kind_of_thing(kind: str, role: str, cast: Cast) -> None:
    text = cast.platform.portal.get(ADD).content.decode()
    assert f'name="to_{kind}"' in text and f'value="{kind}:{role}"' in text
    assert cast.platform.portal.post(ADD, to(cast, kind, role)).status_code == 302
    found = Invitation.objects.get()
    assert (found.target_type, found.target_id, found.role) == (kind, cast.sample(kind).pk, role)
    shown = cast.platform.portal.get(f"/admin/invitations/invitation/{found.pk}/change/").content.decode()
    assert str(cast.sample(kind)) in shown


def test_many_are_invited_to_a_project_from_a_file(cast: Cast) -> None:
    file = SimpleUploadedFile("people.csv", b"a@example.com\nb@example.com\n", "text/csv")
    body = to(cast, "project", "viewer", file=file)
    assert cast.platform.portal.post(ADDRESS, body).status_code == 200
    assert set(Invitation.objects.values_list("email", "target_type")) == {
        ("a@example.com", "project"),
        ("b@example.com", "project"),
    }


def test_role_and_target_are_of_one_kind(cast: Cast) -> None:
    other = {"to_dataset": str(cast.sample("dataset").pk)}
    for wrong in (
        to(cast, "project", "editor", to_project=""),
        to(cast, "project", "editor", **other),
        to(cast, "project", "guest"),
        to(cast, "project", "editor") | {"role": "editor"},
        to(cast, "project", "editor") | {"role": ""},
        to(cast, "project", "editor", email="nobody"),
    ):
        assert cast.platform.portal.post(ADD, wrong).status_code == 200, wrong
    assert addresses() == set()


def test_an_owner_on_the_staff_invites_to_the_project_and_to_nothing_else(cast: Cast) -> None:
    for person in (cast.owner, cast.stranger):
        User.objects.filter(pk=person.user.pk).update(is_staff=True)
    assert cast.owner.portal.post(ADD, to(cast, "organization", "guest")).status_code == 200
    assert addresses() == set()
    assert cast.owner.portal.post(ADD, to(cast, "project", "viewer")).status_code == 302
    assert addresses() == {"new@example.com"}
    for kind, role in (("organization", "guest"), ("project", "viewer"), ("dataset", "view")):
        answer = cast.stranger.portal.post(ADD, to(cast, kind, role, email="other@example.com"))
        assert answer.status_code == 200
        assert cast.canary not in answer.content.decode()
    assert addresses() == {"new@example.com"}
