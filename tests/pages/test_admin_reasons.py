"""The admin asks why before it deletes, and before it takes something from somebody; the reason stays in the history."""

from typing import Any

import pytest
from django.contrib import admin

from apps.accounts.models import User
from apps.accounts.services import user_deactivate, user_reactivate
from apps.apikeys.models import ApiKey
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.audit.services import person_forget
from apps.core.admin import PolicyAdmin
from apps.core.errors import Conflict, Forbidden
from apps.core.testing import Cast, RestClient
from apps.organizations.models import Membership, MembershipState
from apps.organizations.services.quotas import LIMITS
from apps.projects.services import project_create
from tests.factories.accounts import PASSWORD
from tests.factories.apikeys import key_of

WHY = "Asked for by their lawyer"


def reasons(action: str) -> list[Any]:
    return [event.params.get("because") for event in readable(AuditEvent.objects.filter(action=action))]


def test_a_deletion_comes_back_to_its_page_until_there_is_a_reason(cast: Cast) -> None:
    project, portal = cast.sample("project"), cast.platform.portal
    path = f"/admin/projects/project/{project.pk}/delete/"
    assert 'name="reason"' in portal.get(path).content.decode()
    for reason in ({}, {"reason": "  "}, {"reason": "x" * 301}, {"reason": "<b>"}):
        answer = portal.post(path, {"post": "yes", **reason})
        assert answer.status_code == 200
        assert 'role="alert"' in answer.content.decode()
        project.refresh_from_db()
        assert project.deleted_at is None
    assert portal.post(path, {"post": "yes", "reason": WHY}).status_code == 302
    project.refresh_from_db()
    assert project.deleted_at is not None
    assert reasons("project.trashed") == [WHY]


def test_many_are_deleted_for_one_reason_that_stands_at_each(cast: Cast) -> None:
    organization = cast.sample("organization")
    made = [
        project_create(actor=cast.admin.actor, organization=organization, name=f"Project {number}")
        for number in range(3)
    ]
    base = "/admin/projects/project/"
    body = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in made]}
    first = cast.platform.portal.post(base, body)
    assert 'name="reason"' in first.content.decode()
    without = cast.platform.portal.post(base, {**body, "post": "yes", "reason": ""})
    assert (without.status_code, 'role="alert"' in without.content.decode()) == (200, True)
    assert not AuditEvent.objects.filter(action="selection.deleted").exists()
    assert cast.platform.portal.post(base, {**body, "post": "yes", "reason": WHY}).status_code == 302
    assert reasons("selection.deleted") == [WHY]
    assert reasons("project.trashed") == [WHY] * 3


def test_the_reason_stands_after_what_it_is_for_and_is_marked_as_required(cast: Cast) -> None:
    path = f"/admin/organizations/organization/{cast.owner.organization_id}/change/"
    page = cast.platform.portal.get(path)
    (fieldset,) = page.context["adminform"].fieldsets
    shown = fieldset[1]["fields"]
    assert shown[shown.index(LIMITS[-1]) + 1] == "reason"
    label = page.content.decode().partition('for="id_reason"')[2].partition("</label>")[0]
    assert "*" in label


def test_a_role_is_not_changed_without_a_reason_which_the_history_shows(cast: Cast) -> None:
    membership = Membership.objects.get(user=cast.member.user, organization=cast.sample("organization"))
    path = f"/admin/organizations/membership/{membership.pk}/change/"
    answer = cast.platform.portal.post(path, {"role": "guest"})
    assert (answer.status_code, "Enter a reason." in answer.content.decode()) == (200, True)
    membership.refresh_from_db()
    assert membership.role != "guest"
    assert cast.platform.portal.post(path, {"role": "guest", "reason": WHY}).status_code == 302
    assert reasons("membership.role_changed") == [WHY]
    shown = cast.admin.portal.get("/audit/organization/").content.decode()
    assert f"Reason: {WHY}" in shown
    event = AuditEvent.objects.get(action="membership.role_changed")
    assert WHY in cast.platform.portal.get(f"/admin/audit/auditevent/{event.pk}/change/").content.decode()
    assert (
        cast.admin.rest.get("/audit-logs/organization?action=membership.role_changed").json()["results"][0]["facts"][
            "because"
        ]
        == WHY
    )
    assert WHY not in str(AuditEvent.objects.values().get(pk=event.pk)), "ciphertext, as every value"


def test_what_asks_for_no_reason_is_saved_without_one(cast: Cast) -> None:
    organization, portal = cast.sample("organization"), cast.platform.portal
    path = f"/admin/organizations/organization/{organization.pk}/change/"
    inlines = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    body = {"company": organization.company, "join_policy": "invitation", "join_role": "guest", **inlines}
    assert portal.post(path, body).status_code == 302
    answer = portal.post(path, {**body, "max_users": "70"})
    assert (answer.status_code, "Enter a reason." in answer.content.decode()) == (200, True)
    assert portal.post(path, {**body, "max_users": "70", "reason": WHY}).status_code == 302
    organization.refresh_from_db()
    assert (organization.join_policy, organization.max_users) == ("invitation", 70)
    assert reasons("quota.changed") == [WHY]


def chosen(action: str, *rows: Any, **more: str) -> dict[str, Any]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}


def test_an_action_asks_on_a_page_of_its_own(cast: Cast) -> None:
    membership = Membership.objects.get(user=cast.member.user, organization=cast.sample("organization"))
    base, portal = "/admin/organizations/membership/", cast.platform.portal
    asked = portal.post(base, chosen("suspend_members", membership))
    text = asked.content.decode()
    assert asked.status_code == 200 and str(membership.pk) in text and 'name="reason"' in text
    assert "Enter a reason." not in text
    assert "Enter a reason." in portal.post(base, chosen("suspend_members", membership, reason="")).content.decode()
    membership.refresh_from_db()
    assert membership.state == MembershipState.ACTIVE
    assert portal.post(base, chosen("suspend_members", membership, reason=WHY)).status_code == 302
    membership.refresh_from_db()
    assert membership.state == MembershipState.SUSPENDED
    assert reasons("membership.suspended") == [WHY]


def test_a_disabled_account_is_out_everywhere_and_an_enabled_one_may_sign_in_again(cast: Cast) -> None:
    person = cast.owner
    _key, secret = key_of(person)
    portal, program, by_key = person.portal, RestClient(person.token), RestClient(secret)
    assert [portal.get("/").status_code, program.get("/me").status_code] == [200, 200]
    assert by_key.get("/projects").status_code == 200
    base = "/admin/accounts/user/"
    assert cast.platform.portal.post(base, chosen("deactivate", person.user, reason=WHY)).status_code == 302
    person.user.refresh_from_db()
    assert not person.user.is_active
    assert portal.get("/")["Location"].startswith("/account/login/")
    assert [program.get("/me").status_code, by_key.get("/projects").status_code] == [401, 401]
    signing_in = {"email": person.user.email, "password": PASSWORD}
    assert RestClient().post("/auth/token", signing_in).status_code == 401
    assert cast.platform.portal.post(base, chosen("reactivate", person.user, reason=WHY)).status_code == 302
    assert RestClient().post("/auth/token", signing_in).status_code == 200
    assert program.get("/me").status_code == 401, "what had ended stays ended"
    assert reasons("account.disabled") == reasons("account.enabled") == [WHY]


def test_an_account_is_disabled_by_platform_administrators_alone_and_never_their_own(cast: Cast) -> None:
    for person in (cast.admin, cast.manager, cast.stranger, cast.owner, cast.anonymous):
        for operation in (user_deactivate, user_reactivate):
            with pytest.raises(Forbidden):
                operation(actor=person.actor, user=cast.owner.user)
    for operation, user, code in (
        (user_deactivate, cast.platform.user, "own_account"),
        (user_reactivate, cast.owner.user, "not_disabled"),
    ):
        with pytest.raises(Conflict) as caught:
            operation(actor=cast.platform.actor, user=user)
        assert caught.value.code == code
    cast.admin.user.is_staff = True
    cast.admin.user.save(update_fields=["is_staff"])
    cast.admin.portal.post("/admin/accounts/user/", chosen("deactivate", cast.owner.user, reason=WHY))
    assert User.objects.get(pk=cast.owner.user.pk).is_active
    assert "deactivate" not in cast.admin.portal.get("/admin/accounts/user/").content.decode()


def test_a_key_is_revoked_for_a_reason(cast: Cast) -> None:
    key, _secret = key_of(cast.owner)
    base = "/admin/apikeys/apikey/"
    assert cast.platform.portal.post(base, chosen("revoke", key)).status_code == 200
    assert ApiKey.objects.get().revoked_at is None
    assert cast.platform.portal.post(base, chosen("revoke", key, reason=WHY)).status_code == 302
    assert ApiKey.objects.get().revoked_at is not None


def test_the_reason_of_an_act_on_a_person_is_erased_with_the_person(cast: Cast) -> None:
    cast.platform.portal.post("/admin/accounts/user/", chosen("end_sessions", cast.member.user, reason=WHY))
    assert reasons("account.sessions_revoked") == [WHY]
    person_forget(actor=cast.platform.actor, person_id=cast.member.user.pk)
    assert reasons("account.sessions_revoked") == ["(erased)"]


#: Deletion is asked for by the base; an admin that went around it would be seen here.
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_admin_stands_on_the_base_that_asks(model: Any) -> None:
    shown = admin.site._registry[model]
    assert isinstance(shown, PolicyAdmin)
    for name in ("delete_view", "get_actions", "save_model"):
        own = type(shown).__dict__.get(name)
        assert own is None or name == "get_actions", f"{name} of {model._meta.label} is its own"
