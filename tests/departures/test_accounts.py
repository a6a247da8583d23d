"""People who delete their account, and people who are erased."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.test import Client

from apps.accounts.models import RefreshToken, User
from apps.apikeys.models import ApiKey
from apps.audit import services as audit
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.audit.verification import verify
from apps.core.errors import Conflict, Forbidden, Invalid
from apps.core.identity import Actor, Role
from apps.core.testing import Cast
from apps.departures import services
from apps.departures.models import PersonErasure
from apps.invitations.models import Invitation
from apps.organizations.models import Membership
from apps.projects.models import ProjectMembership
from tests.departures.support import tables_with
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.invitations import InvitationFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory


def body(person: Any, **others: Any) -> dict[str, Any]:
    return {"email": person.user.email, "password": PASSWORD, **others}


def test_the_account_goes_with_everything_that_names_the_person(cast: Cast) -> None:
    person, organization = cast.viewer, cast.sample("organization")
    name, email, pk = person.user.name, person.user.email, person.user.pk
    person.portal.get("/profile/")
    InvitationFactory(organization=organization, email=email, invited_by=cast.admin.user)
    InvitationFactory(organization=organization, email="other@example.com", invited_by=person.user)
    assert tables_with(email) and person.rest.get("/me").status_code == 200
    assert person.rest.delete("/me", body(person)).status_code == 204
    assert not User.objects.filter(pk=pk).exists()
    assert tables_with(email) == tables_with(name) == set()
    for model in (UserSession, RefreshToken, ApiKey, Membership, ProjectMembership):
        key = "owner_id" if model is ApiKey else "user_id"
        assert not model.objects.filter(**{key: pk}).exists()  # type: ignore[attr-defined]
    assert list(Invitation.objects.values_list("email", "invited_by")) == [("other@example.com", None)]
    assert person.portal.get("/profile/").status_code == 302
    assert person.rest.get("/me").status_code == 401
    (register,) = PersonErasure.objects.all()
    assert (register.person_id, register.erased_by, register.reason) == (pk, None, "")


def test_the_activity_forgets_the_person_and_still_verifies(cast: Cast) -> None:
    person = cast.editor
    project = cast.sample("project")
    person.rest.patch("/me", {"language": "ko"})
    assert cast.owner.user.project_memberships.get().role == "owner"
    ProjectMembership.objects.filter(user=person.user, project=project).update(role="owner")
    person.rest.patch(f"/projects/{project.pk}", {"name": "What stays"})
    services.account_delete(actor=person.actor, user=person.user, email=person.user.email, heirs={})
    events = readable(AuditEvent.objects.filter(actor_id=person.user.pk).order_by("id"))
    assert len(events) >= 3 and all(row.actor_name == "(erased)" for row in events)
    assert any(row.after == {"name": "What stays"} for row in events)
    audit.seal()
    assert verify(person.organization_id).is_sound and verify(audit.PLATFORM).is_sound
    assert AuditEvent.objects.filter(action="account.deleted", organization_id=None).count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [({"password": "not mine at all"}, "password"), ({"email": "somebody@example.com"}, "email")],
)
def test_it_needs_the_password_and_the_address(cast: Cast, change: dict[str, str], field: str) -> None:
    answer = cast.viewer.rest.delete("/me", body(cast.viewer, **change))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert User.objects.filter(pk=cast.viewer.user.pk).exists()


def test_guessing_the_password_is_paused_as_at_sign_in(cast: Cast) -> None:
    codes = [
        cast.viewer.rest.delete("/me", body(cast.viewer, password=f"guess {number}")).status_code
        for number in range(7)
    ]
    assert codes[:4] == [400] * 4 and codes[-1] == 429
    assert cast.viewer.rest.delete("/me", body(cast.viewer)).status_code == 429


def test_an_api_key_deletes_nobody(cast: Cast) -> None:
    key = cast.sample("api-key")
    actor = Actor.of(key.owner, organization_id=key.organization_id)
    with pytest.raises(Forbidden):
        services.account_delete(
            actor=replace(actor, scopes=frozenset({"projects.view_project"})),
            user=key.owner,
            email=key.owner.email,
            heirs={},
        )


def test_the_last_administrator_is_told_of_which_and_what_to_do(cast: Cast) -> None:
    answer = cast.admin.rest.delete("/me", body(cast.admin))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "last_admin")
    named = {"id": str(cast.admin.organization_id), "name": str(cast.sample("organization"))}
    assert problem["params"]["organizations"] == [named]
    assert problem["hint"]
    page = cast.admin.portal.get("/profile/delete/")
    assert str(cast.sample("organization")) in page.content.decode() and b'type="password"' not in page.content
    MembershipFactory(organization=cast.sample("organization"), role=Role.ADMIN)
    assert cast.admin.rest.delete("/me", body(cast.admin)).status_code == 204


def test_what_nobody_else_answers_for_goes_to_the_person_named(cast: Cast) -> None:
    project = cast.sample("project")
    assert cast.owner.user.project_memberships.get().role == "owner"
    refused = cast.owner.rest.delete("/me", body(cast.owner))
    assert (refused.status_code, refused.json()["code"]) == (409, "heir_needed")
    assert refused.json()["params"]["organizations"][0]["id"] == str(project.organization_id)
    for nobody in (cast.stranger.user.pk, uuid4()):
        wrong = cast.owner.rest.delete("/me", body(cast.owner, heirs={str(project.organization_id): str(nobody)}))
        assert (wrong.status_code, wrong.json()["code"]) == (400, "heir_invalid")
    heirs = {str(project.organization_id): str(cast.member.user.pk)}
    assert cast.owner.rest.delete("/me", body(cast.owner, heirs=heirs)).status_code == 204
    assert list(project.memberships.filter(role="owner").values_list("user_id", flat=True)) == [cast.member.user.pk]


@pytest.mark.parametrize("state", ["guest", "suspended"])
def test_who_sees_no_members_deletes_the_account_and_names_nobody(state: str, cast: Cast) -> None:
    organization = cast.sample("organization")
    given = {"role": Role.GUEST} if state == "guest" else {"state": "suspended"}
    person = MembershipFactory(organization=organization, **given).user
    project = ProjectFactory(organization=organization)
    ProjectMembershipFactory(project=project, user=person, role="owner")
    oldest = cast.admin.user
    services.account_delete(
        actor=Actor.of(person), user=person, email=person.email, heirs={organization.pk: cast.manager.user.pk}
    )
    assert project.memberships.get().user == oldest


def test_a_person_of_two_organizations_leaves_both_whatever_the_token_is_for(cast: Cast) -> None:
    person = cast.viewer
    there = MembershipFactory(user=person.user)
    alone = ProjectFactory(organization=there.organization)
    ProjectMembershipFactory(project=alone, user=person.user, role="owner")
    heir = MembershipFactory(organization=there.organization).user
    answer = person.rest.delete("/me", body(person, heirs={str(there.organization_id): str(heir.pk)}))
    assert answer.status_code == 204
    assert alone.memberships.get().user == heir


def test_the_page_asks_and_signs_out(cast: Cast) -> None:
    client = cast.owner.portal
    page = client.get("/profile/delete/").content.decode()
    assert cast.sample("project").name in page
    heir = {f"heir_{cast.owner.organization_id}": str(cast.member.user.pk)}
    wrong = client.post("/profile/delete/", {**body(cast.owner, password="no"), **heir})
    assert wrong.status_code == 422 and "This is not your password." in wrong.content.decode()
    done = client.post("/profile/delete/", {**body(cast.owner), **heir})
    assert (done.status_code, done["Location"]) == (302, "/account/login/")
    assert not User.objects.filter(pk=cast.owner.user.pk).exists()
    assert b"Your account was deleted." in client.get("/account/login/").content


@pytest.mark.django_db
def test_who_belongs_to_no_organization_may_go_too() -> None:
    user = UserFactory()
    client = Client()
    client.force_login(user, backend="apps.accounts.backends.AccountBackend")
    assert b"/profile/delete/" in client.get("/").content
    assert client.get("/profile/delete/").status_code == 200
    client.post("/profile/delete/", {"email": user.email, "password": PASSWORD})
    assert not User.objects.filter(pk=user.pk).exists()


@pytest.mark.django_db
def test_who_has_no_password_shows_another_factor_first() -> None:
    user = UserFactory(password=None)
    TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    client = Client()
    client.force_login(user, backend="apps.accounts.backends.AccountBackend")
    answer = client.get("/profile/delete/")
    assert answer.status_code == 302 and answer["Location"].startswith("/account/reauthenticate/")
    assert client.post("/profile/delete/", {"email": user.email}).status_code == 302
    assert User.objects.filter(pk=user.pk).exists()


# --- By the platform


def test_the_platform_erases_with_a_reason_and_an_administrator_takes_over(cast: Cast) -> None:
    project = cast.sample("project")
    admin = cast.admin.user
    with pytest.raises(Invalid):
        services.person_erase(actor=cast.platform.actor, user=cast.owner.user, reason=" ")
    services.person_erase(actor=cast.platform.actor, user=cast.owner.user, reason="Asked for in writing")
    assert tables_with(cast.owner.user.email) == set()
    assert project.memberships.filter(role="owner").get().user == admin
    (event,) = readable(AuditEvent.objects.filter(action="account.erased"))
    assert event.params == {"reason": "Asked for in writing"} and event.actor_name == "platform"


def test_nobody_else_erases_and_nobody_themselves(cast: Cast) -> None:
    for person in (cast.admin, cast.manager):
        with pytest.raises(Forbidden):
            services.person_erase(actor=person.actor, user=cast.member.user, reason="Asked for")
        with pytest.raises(Forbidden):
            services.account_delete(actor=person.actor, user=cast.member.user, email=cast.member.user.email, heirs={})
    with pytest.raises(Forbidden):
        services.person_erase(actor=cast.platform.actor, user=cast.platform.user, reason="Asked for")
    with pytest.raises(Conflict) as caught:
        services.account_delete(
            actor=cast.platform.actor, user=cast.platform.user, email=cast.platform.user.email, heirs={}
        )
    assert caught.value.code == "last_platform_admin"
    with pytest.raises(Conflict) as caught:
        services.person_erase(actor=cast.platform.actor, user=cast.admin.user, reason="Asked for")
    assert caught.value.code == "last_admin"


def test_the_admin_erases_schedules_and_cancels_by_its_forms(cast: Cast) -> None:
    client, base = cast.platform.portal, "/admin/departures"
    organization = cast.sample("organization")
    victim = cast.viewer.user
    answer = client.post(f"{base}/personerasure/add/", {"person": str(victim.pk), "reason": "Asked for"})
    assert answer.status_code == 302 and not User.objects.filter(pk=victim.pk).exists()
    form = {"organization": str(organization.pk), "name": "Wrong", "reason": "It closes"}
    client.post(f"{base}/organizationdeletion/add/", form)
    organization.refresh_from_db()
    assert organization.closure == ""
    assert client.post(f"{base}/organizationdeletion/add/", {**form, "name": str(organization)}).status_code == 302
    organization.refresh_from_db()
    assert organization.closure == "closing"
    page = client.get(f"{base}/organizationdeletion/").content.decode()
    assert str(organization) in page
    pk = (
        page.split('name="_selected_action" value="')[1].split('"')[0]
        if 'name="_selected_action" value="' in page
        else ""
    )
    assert pk, "the list has a line to choose"
    client.post(f"{base}/organizationdeletion/", {"action": "cancel", "_selected_action": [pk]})
    organization.refresh_from_db()
    assert organization.closure == ""
