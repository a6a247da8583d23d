"""Inviting from a file in the admin (T6, T12)."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.core.testing import Cast
from apps.invitations.models import Invitation

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/invitations/invitation/from-file/"


def asked(cast: Cast, content: bytes, sample: str = "organization") -> dict[str, object]:
    file = SimpleUploadedFile("people.csv", content, "text/csv")
    return {"organization": str(cast.sample(sample).pk), "file": file, "role": "engineer_i", "message": ""}


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
