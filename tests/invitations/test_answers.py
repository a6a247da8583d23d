"""Answering: by the right address, once, while the inviter still may; by an account there is or a new one."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, DomainError
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, PortalClient, RestClient
from apps.invitations import services
from apps.invitations.models import Invitation
from apps.organizations.models import Membership
from apps.organizations.services import membership_change_role
from apps.projects.models import ProjectMembership
from tests.factories.accounts import UserFactory
from tests.factories.invitations import invitation_to
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory

TOKEN = "a-token-of-forty-three-characters-0123456789"
PASSWORD = "a long passphrase"


def invited(cast: Cast, kind: str = "project", role: str = "viewer", **fields: Any) -> Invitation:
    fields = {"email": "new@example.com", "invited_by": cast.admin.user, **fields}
    return invitation_to(cast.sample(kind), kind, token=TOKEN, role=role, **fields)


def accept(client: Any, **sent: Any) -> Any:
    return client.post(f"/invitations/{TOKEN}/accept", sent)


def person(email: str = "new@example.com", **fields: Any) -> Actor:
    return Actor.of(UserFactory(email=email, **fields))


# --- What the link tells


def test_the_link_tells_what_it_invites_to(cast: Cast) -> None:
    invitation = invited(cast, message="Come in")
    told = cast.anonymous.rest.get(f"/invitations/{TOKEN}/info").json()
    assert told == {
        "state": "pending",
        "email": "new@example.com",
        "organization_name": str(invitation.organization),
        "target_type": "project",
        "target_name": cast.sample("project").name,
        "role": "viewer",
        "invited_by": cast.admin.user.name,
        "message": "Come in",
        "expires_at": told["expires_at"],
    }


@pytest.mark.parametrize("state", ["accepted", "declined", "expired", "cancelled", "overdue"])
def test_of_an_ended_invitation_the_state_alone_is_told_and_no_answer_is_taken(cast: Cast, state: str) -> None:
    overdue = state == "overdue"
    invited(
        cast,
        state="pending" if overdue else state,
        expires_at=timezone.now() + timedelta(days=-1 if overdue else 1),
    )
    state = "expired" if overdue else state
    told = cast.anonymous.rest.get(f"/invitations/{TOKEN}/info").json()
    assert told.pop("state") == state
    assert set(told.values()) == {None}
    client = RestClient()
    for response in (accept(client, password=PASSWORD), client.post(f"/invitations/{TOKEN}/decline")):
        assert (response.status_code, response.json()["code"]) == (409, f"invitation_{state}")
    page = PortalClient().get(f"/invite/{TOKEN}/")
    assert page.status_code == 200
    assert cast.canary not in page.content.decode()
    assert not User.objects.filter(email="new@example.com").exists()


@pytest.mark.parametrize("token", ["x", "unknown-" * 6, TOKEN[:-1] + "X", "%00", "..%2f.."])
def test_an_unknown_token_is_not_found(cast: Cast, token: str) -> None:
    invited(cast)
    client = RestClient()
    assert client.get(f"/invitations/{token}/info").status_code == 404
    assert client.post(f"/invitations/{token}/accept", {"password": PASSWORD}).status_code == 404
    assert client.post(f"/invitations/{token}/decline").status_code == 404
    assert PortalClient().get(f"/invite/{token}/").status_code == 404


# --- Accepting


@pytest.mark.parametrize(
    ("kind", "role", "organization_role"),
    [("organization", "engineer_ii", "engineer_ii"), ("project", "editor", "guest"), ("dataset", "use", "guest")],
)
def test_a_new_person_signs_up_by_the_link_and_is_in(cast: Cast, kind: str, role: str, organization_role: str) -> None:
    invitation = invited(cast, kind, role)
    answer = accept(RestClient(), password=PASSWORD, name="Newcomer").json()
    assert (answer["state"], answer["target_id"]) == ("accepted", str(invitation.target_id))
    assert answer["tokens"]["role"] == organization_role
    user = User.objects.get(email="new@example.com")
    assert (user.name, EmailAddress.objects.get(user=user).verified) == ("Newcomer", True)
    client = RestClient(answer["tokens"]["access"])
    paths = {"organization": "/organizations", "project": "/projects", "dataset": "/datasets"}
    for other, path in paths.items():
        seen = other in (kind, "organization")
        # Who is in the project sees its datasets.
        seen = seen or (kind == "project" and other == "dataset")
        assert client.get(f"{path}/{cast.sample(other).pk}").status_code == (200 if seen else 404), other
    assert RestClient().post("/auth/token", {"email": user.email, "password": PASSWORD}).status_code == 200
    events = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"account.signed_up", "invitation.accepted", "membership.added"} <= events


def test_a_person_with_an_account_accepts_signed_in_and_gets_tokens_of_the_organization(cast: Cast) -> None:
    invited(cast, "organization", "manager", email=cast.stranger.user.email)
    answer = accept(cast.stranger.rest).json()
    assert answer["tokens"]["organization_id"] == str(cast.sample("organization").pk)
    assert Membership.objects.get(user=cast.stranger.user, organization=cast.sample("organization")).role == "manager"
    again = accept(cast.stranger.rest)
    assert (again.status_code, again.json()["code"]) == (409, "invitation_accepted")


def test_a_second_verified_address_of_a_person_counts(cast: Cast) -> None:
    invited(cast, "organization", "guest", email="second@example.com")
    EmailAddress.objects.create(user=cast.stranger.user, email="second@example.com", verified=True)
    assert accept(cast.stranger.rest).status_code == 200


def test_nobody_accepts_with_another_address_or_an_unverified_one(cast: Cast) -> None:
    invited(cast)
    wrong = accept(cast.stranger.rest)
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_address")
    EmailAddress.objects.create(user=cast.stranger.user, email="new@example.com", verified=False)
    unverified = accept(cast.stranger.rest)
    assert (unverified.status_code, unverified.json()["code"]) == (403, "address_unverified")
    assert accept(RestClient()).status_code == 401
    assert Invitation.objects.get().state == "pending"
    assert not Membership.objects.filter(user=cast.stranger.user, organization=cast.sample("organization")).exists()


def test_an_address_that_has_an_account_signs_in_instead(cast: Cast) -> None:
    UserFactory(email="new@example.com", address=False)
    invited(cast)
    response = accept(RestClient(), password=PASSWORD)
    assert (response.status_code, response.json()["code"]) == (409, "account_exists")
    assert User.objects.get(email="new@example.com").check_password("correct horse battery")


@pytest.mark.parametrize("password", ["short", "password123", "new@example.com"])
def test_a_weak_password_makes_no_account(cast: Cast, password: str) -> None:
    invited(cast)
    response = accept(RestClient(), password=password)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["password"])
    assert not User.objects.filter(email="new@example.com").exists()
    assert Invitation.objects.get().state == "pending"


@pytest.mark.parametrize("change", ["role lowered", "left", "disabled", "erased", "project trashed"])
def test_an_invitation_is_worth_what_its_sender_may_do_now(cast: Cast, change: str) -> None:
    inviter = MembershipFactory(organization=cast.sample("organization"), role=Role.MANAGER)
    invited(cast, invited_by=inviter.user)
    if change == "role lowered":
        membership_change_role(actor=cast.admin.actor, membership=inviter, role=Role.GUEST)
    elif change == "left":
        inviter.delete()
    elif change == "disabled":
        User.objects.filter(pk=inviter.user_id).update(is_active=False)
    elif change == "erased":
        Invitation.objects.update(invited_by=None)
    else:
        cast.admin.rest.delete(f"/projects/{cast.sample('project').pk}")
    response = accept(RestClient(), password=PASSWORD)
    expected = "target_gone" if change == "project trashed" else "inviter_lost_right"
    assert (response.status_code, response.json()["code"]) == (409, expected)
    assert not User.objects.filter(email="new@example.com").exists()


def test_a_manager_who_may_not_give_the_role_any_more_does_not_give_it(cast: Cast) -> None:
    inviter = MembershipFactory(organization=cast.sample("organization"), role=Role.ADMIN)
    invited(cast, "organization", "admin", invited_by=inviter.user)
    membership_change_role(actor=cast.admin.actor, membership=inviter, role=Role.MANAGER)
    assert accept(RestClient(), password=PASSWORD).json()["code"] == "inviter_lost_right"


def test_who_waits_for_approval_is_let_in_and_who_is_suspended_is_not(cast: Cast) -> None:
    organization = cast.sample("organization")
    waiting = MembershipFactory(organization=organization, state="pending", user__email="new@example.com")
    invited(cast, "organization", "engineer_ii")
    services.invitation_accept(actor=Actor.of(waiting.user), token=TOKEN)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.role) == ("active", "engineer_ii")
    Invitation.objects.all().delete()
    suspended = MembershipFactory(organization=organization, state="suspended", user__email="out@example.com")
    invited(cast, email="out@example.com")
    with pytest.raises(Conflict) as caught:
        services.invitation_accept(actor=Actor.of(suspended.user), token=TOKEN)
    assert caught.value.code == "membership_suspended"
    suspended.refresh_from_db()
    assert suspended.state == "suspended"


def test_who_is_in_meanwhile_keeps_the_role_held_now(cast: Cast) -> None:
    actor = person()
    invited(cast, role="owner")
    MembershipFactory(organization=cast.sample("organization"), user=actor.user, role=Role.ENGINEER_II)
    ProjectMembershipFactory(project=cast.sample("project"), user=actor.user, role="viewer")
    services.invitation_accept(actor=Actor.of(actor.user), token=TOKEN)
    assert Membership.objects.get(user=actor.user).role == Role.ENGINEER_II
    assert ProjectMembership.objects.get(user=actor.user).role == "viewer"


def test_declining_needs_the_link_alone_and_ends_it(cast: Cast) -> None:
    invited(cast)
    client = RestClient()
    assert client.post(f"/invitations/{TOKEN}/decline").status_code == 204
    assert Invitation.objects.get().state == "declined"
    assert accept(client, password=PASSWORD).json()["code"] == "invitation_declined"
    assert AuditEvent.objects.get(action="invitation.declined").organization_id == cast.sample("organization").pk


def test_the_answers_to_a_link_are_slowed_down(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_framework.throttling.ScopedRateThrottle.THROTTLE_RATES", {"invitation_link": "3/min"})
    client = RestClient()
    statuses = [client.get(f"/invitations/guess-{number}/info").status_code for number in range(5)]
    assert statuses == [404, 404, 404, 429, 429]


# --- At once


def at_once(count: int, call: Any) -> list[str]:
    """Runs the call side by side; what each came to: "done" or the code of the refusal."""
    barrier, outcomes = threading.Barrier(count), []

    def run() -> None:
        try:
            barrier.wait(20)
            call()
            outcomes.append("done")
        except DomainError as error:
            outcomes.append(error.code)
        except Exception as error:  # noqa: BLE001 - whatever broke in a thread must reach the test
            outcomes.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["organization", "project"])
def test_accepts_at_once_make_one_membership(kind: str) -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    project = ProjectFactory(organization=admin.organization)
    target = admin.organization if kind == "organization" else project
    role = "guest" if kind == "organization" else "viewer"
    invitation_to(target, kind, token=TOKEN, role=role, email="new@example.com", invited_by=admin.user)
    user = UserFactory(email="new@example.com")
    outcomes = at_once(6, lambda: services.invitation_accept(actor=Actor.of(user), token=TOKEN))
    assert outcomes == ["done", *["invitation_accepted"] * 5]
    assert Membership.objects.filter(user=user).count() == 1
    assert ProjectMembership.objects.filter(user=user).count() == (kind == "project")


@pytest.mark.django_db(transaction=True)
def test_sign_ups_by_one_link_at_once_make_one_account() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    fields = {"role": "guest", "email": "new@example.com", "invited_by": admin.user}
    invitation_to(admin.organization, "organization", token=TOKEN, **fields)
    outcomes = at_once(4, lambda: services.invitation_sign_up(actor=Actor.anonymous(), token=TOKEN, password=PASSWORD))
    assert outcomes == ["done", *["invitation_accepted"] * 3]
    assert User.objects.filter(email="new@example.com").count() == 1
    assert Membership.objects.count() == 2
