"""Inviting: who joins at once, that every other address gets the same answer, mail, files, limits."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import TooManyRequests
from apps.core.outbox.models import OutboxMessage
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import Cast, assert_constant_queries
from apps.invitations import services
from apps.invitations.models import Invitation
from apps.invitations.selectors import digest
from apps.invitations.services import bulk, sending
from apps.invitations.services.sending import expire_overdue
from apps.organizations.models import Membership
from tests.factories.accounts import UserFactory
from tests.factories.invitations import InvitationFactory

LINK = re.compile(r"https?://\S+/invite/([\w-]{43})/")


def body(cast: Cast, kind: str, role: str, email: str, **others: Any) -> dict[str, Any]:
    target = cast.sample(kind)
    return {"target_type": kind, "target_id": str(target.pk), "email": email, "role": role, **others}


def sent_token() -> str:
    """The token of the last mail."""
    found = LINK.search(str(mail.outbox[-1].body))
    assert found
    return found[1]


@pytest.mark.parametrize(("kind", "role"), [("project", "viewer"), ("dataset", "use")])
def test_a_member_of_the_organization_joins_at_once(cast: Cast, kind: str, role: str) -> None:
    response = cast.owner.rest.post("/invitations", body(cast, kind, role, cast.member.user.email.upper()))
    assert response.json() == {"email": cast.member.user.email, "outcome": "joined", "invitation": None}
    path = {"project": "/projects", "dataset": "/datasets"}[kind]
    assert cast.member.rest.get(f"{path}/{cast.sample(kind).pk}").status_code == 200
    assert not Invitation.objects.exists()
    assert not OutboxMessage.objects.filter(topic=sending.MAIL_TOPIC).exists()
    again = cast.owner.rest.post("/invitations", body(cast, kind, role, cast.member.user.email))
    assert (again.status_code, again.json()["code"]) == (409, "already_member")


def test_a_member_is_not_invited_to_the_organization_again(cast: Cast) -> None:
    response = cast.admin.rest.post("/invitations", body(cast, "organization", "guest", cast.member.user.email))
    assert (response.status_code, response.json()["code"]) == (409, "already_member")


@pytest.mark.parametrize(("kind", "role"), [("organization", "guest"), ("project", "viewer"), ("dataset", "view")])
def test_every_address_of_no_member_gets_the_same_answer(cast: Cast, kind: str, role: str) -> None:
    """Unknown, registered elsewhere, registered and of no organization, unverified, waiting for approval."""
    UserFactory(email="lonely@example.com")
    UserFactory(email="unverified@example.com", address=False)
    waiting = cast.sample("pending-membership").user.email
    emails = ["nobody@example.com", cast.stranger.user.email, "lonely@example.com", "unverified@example.com", waiting]
    answers, counts = [], []
    for email in emails:
        before = len(connection.queries_log)
        response = cast.admin.rest.post("/invitations", body(cast, kind, role, email))
        counts.append(len(connection.queries_log) - before)
        answer = response.json()
        assert answer["email"] == answer["invitation"]["email"] == email
        for varying in ("id", "email", "created_at", "expires_at"):
            answer["invitation"].pop(varying)
        answers.append((response.status_code, answer["outcome"], answer["invitation"], response.headers.keys()))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(counts)) == 1
    assert answers[0][:2] == (201, "invited")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"role": "emperor"}, "role"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"message": "x" * 1001}, "message"),
        ({"message": "bell\x07"}, "message"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 31}, "expires_in_days"),
        ({"target_type": "galaxy"}, "target_type"),
        ({"target_id": "none"}, "target_id"),
    ],
)
def test_a_bad_invitation_is_refused_with_its_field_and_nothing_is_written(
    cast: Cast, change: dict[str, Any], field: str
) -> None:
    response = cast.admin.rest.post("/invitations", {**body(cast, "organization", "guest", "a@example.com"), **change})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Invitation.objects.exists()


def test_one_address_has_one_invitation_that_waits_for_each_target(cast: Cast) -> None:
    wanted = body(cast, "project", "viewer", "new@example.com")
    assert cast.owner.rest.post("/invitations", wanted).status_code == 201
    again = cast.owner.rest.post("/invitations", {**wanted, "email": "NEW@example.com"})
    assert (again.status_code, again.json()["code"]) == (409, "already_invited")
    assert (
        cast.admin.rest.post("/invitations", body(cast, "organization", "guest", "new@example.com")).status_code == 201
    )


def test_an_organization_has_a_limit_of_invitations_that_wait(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MAX_PENDING", 1)
    assert (
        cast.admin.rest.post("/invitations", body(cast, "organization", "guest", "a@example.com")).status_code == 201
    )
    more = cast.admin.rest.post("/invitations", body(cast, "organization", "guest", "b@example.com"))
    assert (more.status_code, more.json()["code"]) == (409, "too_many_pending")


@pytest.mark.parametrize(("limit", "emails"), [("MOST_TO_ONE", ["a", "a", "a"]), ("MOST_A_DAY", ["a", "b", "c"])])
def test_withdrawing_and_inviting_anew_sends_no_mails_for_ever(
    limit: str, emails: list[str], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, limit, 2)
    answers = []
    for name in emails:
        answer = cast.owner.rest.post("/invitations", body(cast, "project", "viewer", f"{name}@example.com"))
        answers.append(answer.status_code)
        last = Invitation.objects.latest("created_at")
        if answer.status_code == 201:
            services.invitation_cancel(actor=cast.owner.actor, invitation=last)
    assert answers == [201, 201, 429]
    with pytest.raises(TooManyRequests):
        Invitation.objects.filter(pk=last.pk).update(state="pending")
        services.invitation_resend(actor=cast.owner.actor, invitation=last)
    Invitation.objects.update(created_at=timezone.now() - timedelta(days=2))
    last = cast.owner.rest.post("/invitations", body(cast, "project", "viewer", "d@example.com"))
    assert last.status_code == 201, "the day after"


# --- The mail


@pytest.mark.parametrize(("language", "word"), [("en", "invites you"), ("ko", "초대")])
@pytest.mark.parametrize("registered", [True, False])
def test_the_mail_is_in_the_invitees_language_or_the_inviters(
    cast: Cast, language: str, word: str, registered: bool, catalogues: Any
) -> None:
    inviter = cast.owner.user
    inviter.language = "en" if registered and language == "ko" else language
    inviter.save(update_fields=["language"])
    if registered:
        UserFactory(email="new@example.com", language=language)
    services.invitation_create(
        actor=cast.owner.actor,
        target=cast.sample("project"),
        email="new@example.com",
        role="viewer",
        message="Come <b>in</b>\nplease",
    )
    assert deliver_waiting() >= 1
    message = mail.outbox[-1]
    html = str(message.alternatives[0][0])  # type: ignore[attr-defined]
    assert message.to == ["new@example.com"]
    assert word in str(message.body)
    assert word in html
    assert sent_token() in html
    assert "&lt;b&gt;" in html
    assert "<b>in" in str(message.body)
    assert all(f"{inviter} ({inviter.email})" in text for text in (html, str(message.body)))
    assert cast.sample("project").name in message.subject
    assert Invitation.objects.get().sent_at is not None


def test_the_token_is_stored_as_a_digest_and_stands_in_the_mail_alone(cast: Cast) -> None:
    services.invitation_create(
        actor=cast.admin.actor, target=cast.sample("organization"), email="new@example.com", role="guest"
    )
    deliver_waiting()
    token = sent_token()
    assert Invitation.objects.get().token_hash == digest(token)
    stored = [
        *OutboxMessage.objects.values_list("payload", flat=True),
        *AuditEvent.objects.values_list("after", flat=True),
    ]
    assert token not in str(stored)
    assert token not in str(list(Invitation.objects.values()))


def test_sending_again_kills_the_old_link_and_an_older_message_sends_nothing(cast: Cast) -> None:
    services.invitation_create(
        actor=cast.admin.actor, target=cast.sample("organization"), email="new@example.com", role="guest"
    )
    deliver_waiting()
    old, invitation = sent_token(), Invitation.objects.get()
    with pytest.raises(TooManyRequests):
        services.invitation_resend(actor=cast.admin.actor, invitation=invitation)
    Invitation.objects.update(sent_at=timezone.now() - timedelta(minutes=2))
    services.invitation_resend(actor=cast.admin.actor, invitation=invitation)
    assert cast.anonymous.rest.get(f"/invitations/{old}/info").status_code == 404
    OutboxMessage.objects.filter(payload__sending=1).update(delivered_at=None, available_at=timezone.now())
    mail.outbox.clear()
    deliver_waiting()
    assert len(mail.outbox) == 1
    assert cast.anonymous.rest.get(f"/invitations/{sent_token()}/info").json()["state"] == "pending"


def test_a_mail_server_that_is_away_delays_the_mail_and_loses_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.invitation_create(
        actor=cast.admin.actor, target=cast.sample("organization"), email="new@example.com", role="guest"
    )
    with monkeypatch.context() as patch:
        patch.setattr(
            "django.core.mail.EmailMultiAlternatives.send", lambda self: (_ for _ in ()).throw(OSError("away"))
        )
        assert deliver_waiting() == 0
    assert Invitation.objects.get().sent_at is None
    OutboxMessage.objects.update(available_at=timezone.now())
    assert deliver_waiting() == 1
    assert cast.anonymous.rest.get(f"/invitations/{sent_token()}/info").status_code == 200


def test_a_withdrawn_invitation_sends_no_mail(cast: Cast) -> None:
    services.invitation_create(
        actor=cast.admin.actor, target=cast.sample("organization"), email="new@example.com", role="guest"
    )
    services.invitation_cancel(actor=cast.admin.actor, invitation=Invitation.objects.get())
    deliver_waiting()
    assert mail.outbox == []


# --- Files


def test_every_line_of_a_file_is_whole_or_nothing_and_its_outcome_is_told(cast: Cast) -> None:
    member, other = cast.member.user.email, cast.viewer.user.email
    text = f"\ufeffemail,role\nnew@example.com\n{member},editor\n\n{other}\nno address\nx@example.com,emperor\nnew@example.com,viewer\na@b.co,viewer,more\n"
    target = {"target_type": "project", "target_id": str(cast.sample("project").pk)}
    response = cast.owner.rest.post("/invitations/bulk", {**target, "role": "viewer", "csv": text})
    found = [(row["line"], row["email"], row["outcome"], row["code"]) for row in response.json()["results"]]
    assert found == [
        (2, "new@example.com", "invited", ""),
        (3, member, "joined", ""),
        (5, other, "refused", "already_member"),
        (6, "no address", "refused", "email_invalid"),
        (7, "x@example.com", "refused", "role_unknown"),
        (8, "new@example.com", "refused", "already_invited"),
        (9, "a@b.co", "refused", "too_many_columns"),
    ]
    assert all(row["detail"] for row in response.json()["results"] if row["outcome"] == "refused")
    assert [row.email for row in Invitation.objects.all()] == ["new@example.com"]
    event = AuditEvent.objects.get(action="invitation.bulk_sent")
    (shown,) = readable([event])
    assert shown.after == {"joined": 1, "invited": 1, "refused": 5}
    assert AuditEvent.objects.filter(parent_id=event.pk).count() >= 2


def test_a_manager_cannot_make_admins_by_a_file(cast: Cast) -> None:
    target = {"target_type": "organization", "target_id": str(cast.sample("organization").pk)}
    text = "a@example.com,admin\nb@example.com,guest"
    response = cast.manager.rest.post("/invitations/bulk", {**target, "role": "guest", "csv": text})
    assert [(row["outcome"], row["code"]) for row in response.json()["results"]] == [
        ("refused", "role_above_own"),
        ("invited", ""),
    ]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("email,role\n", 400, "csv_empty"),
        ('"unclosed\n', 400, "csv_invalid"),
        ("a@example.com\n" * (bulk.MAX_LINES + 1), 413, "too_large"),
        ("x" * (bulk.MAX_BYTES + 1), 413, "too_large"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(cast: Cast, text: str, status: int, code: str) -> None:
    target = {"target_type": "organization", "target_id": str(cast.sample("organization").pk)}
    response = cast.admin.rest.post("/invitations/bulk", {**target, "role": "guest", "csv": text})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Invitation.objects.exists()


# --- Ends and lists


def test_beat_notes_what_nobody_answered_in_time_once(cast: Cast) -> None:
    overdue = cast.sample("invitation")
    fresh = InvitationFactory(organization=overdue.organization)
    Invitation.objects.filter(pk=overdue.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert cast.admin.rest.get(f"/invitations/{overdue.pk}").json()["state"] == "expired"
    assert (expire_overdue(), expire_overdue()) == (1, 0)
    assert Invitation.objects.get(pk=overdue.pk).state == "expired"
    assert Invitation.objects.get(pk=fresh.pk).state == "pending"
    event = AuditEvent.objects.get(action="invitation.expired")
    (shown,) = readable([event])
    assert shown.after["invitations"] == [str(overdue.pk)]
    again = cast.admin.rest.post(f"/invitations/{overdue.pk}/resend")
    assert again.json()["state"] == "pending"


def test_what_has_ended_is_neither_sent_again_nor_withdrawn(cast: Cast) -> None:
    for state in ("accepted", "declined", "cancelled"):
        invitation = InvitationFactory(organization=cast.sample("organization"), state=state)
        for act in ("resend", "cancel"):
            response = cast.admin.rest.post(f"/invitations/{invitation.pk}/{act}")
            assert (response.status_code, response.json()["code"]) == (409, f"invitation_{state}")


def test_lists_cost_the_same_with_twenty(cast: Cast) -> None:
    organization, project = cast.sample("organization"), cast.sample("project")

    def more(count: int) -> None:
        for _number in range(count):
            InvitationFactory(organization=organization)
            InvitationFactory(organization=organization, target_type="project", target_id=project.pk, role="viewer")

    assert_constant_queries(lambda: cast.admin.rest.get("/invitations"), add_rows=more, at_most=12)
    assert_constant_queries(lambda: cast.admin.portal.get("/invitations/"), add_rows=more)
    assert_constant_queries(lambda: cast.owner.portal.get(f"/projects/{project.pk}/members/"), add_rows=more)


def test_nobody_joins_by_being_invited(cast: Cast) -> None:
    sent = body(cast, "organization", "admin", cast.stranger.user.email)
    client, before = cast.admin.rest, Membership.objects.count()
    assert client.post("/invitations", sent).status_code == 201
    assert Membership.objects.count() == before
    assert cast.stranger.rest.get(f"/organizations/{cast.sample('organization').pk}").status_code == 404
