"""The pages as people walk through them: inviting from a project, a file, the link, signing up, declining."""

from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from apps.accounts.models import User
from apps.core.identity.context_processors import FOLDER
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import Cast, PortalClient
from apps.invitations.models import Invitation
from apps.organizations.models import Membership
from apps.organizations.services import quotas
from tests.factories.invitations import invitation_to
from tests.invitations.test_answers import PASSWORD, TOKEN
from tests.invitations.test_sending import sent_token


def test_an_owner_invites_from_the_project_and_the_invitee_signs_up_and_is_in_it(cast: Cast) -> None:
    project, owner = cast.sample("project"), cast.owner.portal
    assert f"type=project&amp;id={project.pk}" in owner.get(f"/projects/{project.pk}/members/").content.decode()
    sent = owner.post(
        f"/invitations/new/?type=project&id={project.pk}",
        {"email": "new@example.com", "role": "editor", "message": "Come in"},
    )
    assert sent.status_code == 302
    assert "new@example.com" in owner.get(f"/projects/{project.pk}/members/").content.decode()
    deliver_waiting()
    link, client = f"/invite/{sent_token()}/", PortalClient()
    page = client.get(link).content.decode()
    assert project.name in page
    assert "Come in" in page
    arrived = client.post(f"{link}sign-up/", {"name": "", "password": PASSWORD}, follow=True)
    assert arrived.redirect_chain == [(f"/projects/{project.pk}/", 302)]
    assert project.name in arrived.content.decode()
    assert Membership.objects.get(user__email="new@example.com").role == "guest"
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_who_invites_is_told_when_there_is_no_mail_server(cast: Cast, settings: Any, kept: bool) -> None:
    if kept:
        settings.EMAIL_BACKEND = FOLDER
    fields = {"email": "new@example.com", "role": "guest"}
    form = cast.admin.portal.get("/invitations/new/").content.decode()
    told = cast.admin.portal.post("/invitations/new/", fields, follow=True).content.decode()
    for text in (form, told):
        assert ("This installation has no mail server." in text) == kept
    assert ("The invitation is on its way." in told) != kept


def test_who_invites_is_told_that_no_seat_is_free_and_may_invite(cast: Cast) -> None:
    organization, fields = cast.sample("organization"), {"email": "new@example.com", "role": "guest"}
    assert "no free seat" not in cast.admin.portal.get("/invitations/new/").content.decode()
    organization.change(max_users=quotas.seats_taken(organization.pk))
    for path in ("/invitations/new/", cast.path("/invitations/new/?type=project&id={project}")):
        assert "no free seat" in cast.admin.portal.get(path).content.decode()
    assert cast.admin.portal.post("/invitations/new/", fields).status_code == 302


def test_a_weak_password_is_said_at_its_field_and_the_invitation_waits(cast: Cast) -> None:
    invitation_to(cast.sample("project"), "project", token=TOKEN, role="viewer", invited_by=cast.admin.user)
    response = PortalClient().post(f"/invite/{TOKEN}/sign-up/", {"password": "short"})
    assert response.status_code == 422
    assert "field-error" in response.content.decode()
    assert Invitation.objects.get().state == "pending"


def test_who_is_signed_in_accepts_by_a_button_and_another_person_is_told_so(cast: Cast) -> None:
    fields = {"token": TOKEN, "role": "guest", "invited_by": cast.admin.user, "email": cast.stranger.user.email}
    invitation_to(cast.sample("organization"), "organization", **fields)
    other = cast.member.portal.get(f"/invite/{TOKEN}/").content.decode()
    assert f"/invite/{TOKEN}/accept/" not in other
    assert cast.member.user.email in other
    cast.member.portal.post(f"/invite/{TOKEN}/accept/")
    assert Invitation.objects.get().state == "pending"
    anonymous = PortalClient().post(f"/invite/{TOKEN}/accept/")
    assert anonymous["Location"] == f"/account/login/?next=/invite/{TOKEN}/"
    client = cast.stranger.portal
    assert f"/invite/{TOKEN}/accept/" in client.get(f"/invite/{TOKEN}/").content.decode()
    assert client.post(f"/invite/{TOKEN}/accept/").status_code == 302
    # The organization that was joined is the one that is shown.
    assert client.session["organization_id"] == str(cast.sample("organization").pk)


def test_opening_the_link_changes_nothing_and_declining_ends_it(cast: Cast) -> None:
    invitation_to(cast.sample("project"), "project", token=TOKEN, role="viewer", invited_by=cast.admin.user)
    client = PortalClient()
    for path in ("", "accept/", "decline/", "sign-up/"):
        client.get(f"/invite/{TOKEN}/{path}")
    assert Invitation.objects.get().state == "pending"
    client.post(f"/invite/{TOKEN}/decline/")
    assert Invitation.objects.get().state == "declined"
    assert client.get(f"/invite/{TOKEN}/")["Cache-Control"].startswith("max-age=0")


def test_a_file_is_answered_line_by_line_on_the_page(cast: Cast) -> None:
    file = SimpleUploadedFile("people.csv", b"email,role\nnew@example.com,guest\nno address\n")
    sent = {"bulk-file": file, "bulk-role": "guest", "bulk-message": ""}
    response = cast.admin.portal.post("/invitations/new/file/", sent)
    page = response.content.decode()
    assert response.status_code == 200
    assert "new@example.com" in page
    assert "This is no e-mail address." in page
    bad = SimpleUploadedFile("people.csv", b"\xff\xfe\x00")
    assert cast.admin.portal.post("/invitations/new/file/", {**sent, "bulk-file": bad}).status_code == 422


def test_roles_that_one_may_not_give_are_not_offered(cast: Cast) -> None:
    manager = cast.manager.portal.get("/invitations/new/").content.decode()
    assert 'value="engineer_ii"' in manager
    assert 'value="admin"' not in manager
    assert 'value="admin"' in cast.admin.portal.get("/invitations/new/").content.decode()
    # The list names the role that would let one invite.
    listed = cast.member.portal.get("/invitations/").content.decode()
    assert "aria-disabled" in listed


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages_are_in_the_persons_language_and_have_nothing_inline(
    cast: Cast, language: str, catalogues: Any, page_of: Any
) -> None:
    invitation = cast.sample("invitation")
    invitation_to(cast.sample("project"), "project", token=TOKEN, role="viewer", invited_by=cast.admin.user)
    User.objects.filter(pk=cast.admin.user.pk).update(language=language)
    project, dataset = cast.sample("project"), cast.sample("dataset")
    paths = [
        "/invitations/",
        "/invitations/?state=declined",
        "/invitations/new/",
        f"/invitations/new/?type=project&id={project.pk}",
        f"/invitations/new/?type=dataset&id={dataset.pk}",
        f"/invite/{TOKEN}/",
        f"/datasets/{dataset.pk}/sharing/",
        f"/projects/{project.pk}/settings/",
    ]
    for path in paths:
        with translation.override(language):
            page = page_of(cast.admin.portal.get(path, headers={"Accept-Language": language}))
        assert page.language == language, path
        assert not page.inline, path
    assert invitation.pk
