"""Suspending, reinstating, removing and leaving; what nobody else answers for goes to an heir."""

import threading

import pytest
from django.db import connections

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, DomainError, Forbidden, Invalid
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, PermissionMatrix, assert_constant_queries
from apps.organizations import services
from apps.organizations.models import Membership, MembershipState
from apps.organizations.views import WAITING_SHOWN
from apps.projects.models import Project, ProjectMembership, ProjectRole
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory


class TestMembers(PermissionMatrix):
    rest = """
                                                                                  owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET    /organizations/{organization}/members                                  200    =       =       =       =        =      =      404       401        200
    GET    /organizations/{organization}/members/{membership}                     200    =       =       =       =        =      404    404       401        200
    PATCH  /organizations/{organization}/members/{membership}                     403    403     403     403     200      200    404    404       401        200
    POST   /organizations/{organization}/members/{pending-membership}/approve     403    403     403     403     200      200    404    404       401        200
    POST   /organizations/{organization}/members/{membership}/suspend             403    403     403     403     200      200    404    404       401        200
    POST   /organizations/{organization}/members/{suspended-membership}/reinstate 403    403     403     403     200      200    404    404       401        200
    DELETE /organizations/{organization}/members/{membership}                     403    403     403     403     204      204    404    404       401        204
    GET    /organizations/{organization}/quotas                                   200    =       =       =       =        =      =      404       401        200
    PATCH  /organizations/{organization}/quotas                                   403    =       =       =       =        403    403    404       401        200
    """
    bodies = {
        "PATCH /organizations/{organization}/members/{membership}": {"role": "engineer_ii"},
        "PATCH /organizations/{organization}/quotas": {"max_users": 50},
    }
    portal = """
                                                            owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /organization/                                    200    =       =       =       =        =      =      200       302        404
    GET   /organization/members/                            200    =       =       =       =        =      =      200       302        404
    GET   /organization/settings/                           200    =       =       =       =        =      =      200       302        404
    POST  /organization/members/{membership}/role/          403    403     403     403     302      302    404    404       302        302
    POST  /organization/members/{membership}/suspend/       403    403     403     403     302      302    404    404       302        302
    GET   /organization/members/{membership}/remove/        403    403     403     403     200      200    404    404       302        200
    """


def test_who_is_suspended_has_no_right_until_reinstated(cast: Cast) -> None:
    membership = cast.member.user.memberships.get()
    services.membership_suspend(actor=cast.manager.actor, membership=membership)
    assert Actor.of(cast.member.user).memberships == {}
    with pytest.raises(Conflict) as caught:
        services.membership_suspend(actor=cast.manager.actor, membership=membership)
    assert caught.value.code == "not_active"
    services.membership_reinstate(actor=cast.manager.actor, membership=membership)
    assert Actor.of(cast.member.user).role == Role.ENGINEER_I
    with pytest.raises(Conflict) as caught:
        services.membership_reinstate(actor=cast.manager.actor, membership=membership)
    assert caught.value.code == "not_suspended"


@pytest.mark.parametrize("service", [services.membership_suspend, services.membership_remove])
def test_a_manager_touches_nobody_at_or_above_the_own_role(cast: Cast, service: object) -> None:
    for person in (cast.admin, MembershipFactory(organization=cast.sample("organization"), role=Role.MANAGER)):
        membership = person.user.memberships.get()
        with pytest.raises((Forbidden, Conflict)):
            service(actor=cast.manager.actor, membership=membership)  # type: ignore[operator]
        membership.refresh_from_db()
        assert membership.state == MembershipState.ACTIVE


@pytest.mark.parametrize("service", [services.membership_suspend, services.membership_remove])
def test_the_last_administrator_neither_goes_nor_is_suspended(cast: Cast, service: object) -> None:
    with pytest.raises(Conflict) as caught:
        service(actor=cast.admin.actor, membership=cast.admin.user.memberships.get())  # type: ignore[operator]
    assert caught.value.code == "last_admin"


def test_everybody_may_leave(cast: Cast) -> None:
    membership = cast.guest.user.memberships.get()
    url = f"/organizations/{membership.organization_id}/members/{membership.pk}"
    assert cast.guest.rest.delete(url).status_code == 204
    assert not Membership.objects.filter(pk=membership.pk).exists()


def test_what_nobody_else_owns_goes_to_the_heir(cast: Cast) -> None:
    leaver = MembershipFactory(organization=cast.sample("organization"))
    heir = MembershipFactory(organization=cast.sample("organization")).user
    alone = ProjectFactory(organization=leaver.organization, name="Alone")
    shared = ProjectFactory(organization=leaver.organization, name="Shared")
    for project in (alone, shared):
        ProjectMembershipFactory(project=project, user=leaver.user, role=ProjectRole.OWNER)
        leaver.user.groups.add(project.group)
    ProjectMembershipFactory(project=shared, role=ProjectRole.OWNER)
    url = f"/organizations/{leaver.organization_id}/members/{leaver.pk}"

    refused = cast.manager.rest.delete(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "heir_needed")
    assert Membership.objects.filter(pk=leaver.pk).exists()
    assert cast.manager.rest.delete(f"{url}?heir_id={heir.pk}").status_code == 204

    assert ProjectMembership.objects.get(project=alone).user == heir
    assert ProjectMembership.objects.get(project=alone).role == ProjectRole.OWNER
    assert not ProjectMembership.objects.filter(user=leaver.user).exists()
    assert set(leaver.user.groups.all()) == set()
    assert heir.groups.filter(pk=alone.group_id).exists()
    assert not Project.objects.visible(Actor.of(leaver.user)).exists()


@pytest.mark.parametrize("who", ["nobody", "stranger", "suspended", "self"])
def test_an_heir_is_another_active_member(cast: Cast, who: str) -> None:
    leaver = cast.owner.user.memberships.get()
    heirs = {
        "nobody": "no-uuid",
        "stranger": cast.stranger.user.pk,
        "suspended": cast.sample("suspended-membership").user_id,
        "self": leaver.user_id,
    }
    cast.sample("project")
    url = f"/organizations/{leaver.organization_id}/members/{leaver.pk}?heir_id={heirs[who]}"
    answer = cast.admin.rest.delete(url)
    assert (answer.status_code, answer.json()["code"]) == (400, "heir_invalid")
    assert Membership.objects.filter(pk=leaver.pk).exists()


def test_a_guest_that_owns_a_project_inherits_no_second_one(cast: Cast) -> None:
    leaver = MembershipFactory(organization=cast.sample("organization"))
    heir = MembershipFactory(organization=cast.sample("organization"), role=Role.GUEST).user
    for user in (leaver.user, heir):
        project = ProjectFactory(organization=leaver.organization)
        ProjectMembershipFactory(project=project, user=user, role=ProjectRole.OWNER)
    with pytest.raises(Forbidden) as caught:
        services.membership_remove(actor=cast.admin.actor, membership=leaver, heir=heir)
    assert caught.value.code == "guest_project_limit"


def test_the_page_asks_for_the_heir(cast: Cast) -> None:
    leaver = MembershipFactory(organization=cast.sample("organization"))
    heir = MembershipFactory(organization=cast.sample("organization")).user
    project = ProjectFactory(organization=leaver.organization, name="Only theirs")
    ProjectMembershipFactory(project=project, user=leaver.user, role=ProjectRole.OWNER)
    url = f"/organization/members/{leaver.pk}/remove/"
    assert "Only theirs" in cast.manager.portal.get(url).content.decode()
    assert cast.manager.portal.post(url, {}).status_code == 422
    assert cast.manager.portal.post(url, {"heir": str(heir.pk)}).status_code == 302
    assert not Membership.objects.filter(pk=leaver.pk).exists()


@pytest.mark.parametrize("who", ["guest", "suspended"])
def test_who_sees_no_members_is_shown_none_and_leaves_to_the_oldest_administrator(cast: Cast, who: str) -> None:
    organization = cast.sample("organization")
    leaver = (cast.guest if who == "guest" else cast.member).user.memberships.get()
    project = ProjectFactory(organization=organization, name="Only theirs")
    ProjectMembershipFactory(project=project, user=leaver.user, role=ProjectRole.OWNER)
    oldest = cast.admin.user
    MembershipFactory(organization=organization, role=Role.ADMIN)
    client = (cast.guest if who == "guest" else cast.member).portal
    if who == "suspended":
        # They belong elsewhere, so that pages open for them.
        MembershipFactory(user=leaver.user)
        services.membership_suspend(actor=cast.admin.actor, membership=leaver)
    url = f"/organization/members/{leaver.pk}/remove/"
    asked, deleting = client.get(url), client.get("/profile/delete/").content.decode()
    for page in (asked.content.decode(), deleting):
        assert "the administrator who has been there longest" in page
        assert not [person.user.email for person in (cast.admin, cast.manager) if person.user.email in page]
        assert "Only theirs" not in page
    named = client.post(url, {"heir": str(cast.manager.user.pk)})
    assert named.status_code == 422 and Membership.objects.filter(pk=leaver.pk).exists()
    assert client.post(url, {}).status_code == 302
    assert project.memberships.get().user == cast.admin.user
    (told,) = readable([AuditEvent.objects.get(action="membership.removed")])
    assert told.after == {"heir": str(oldest.pk)}


def in_the_admin(cast: Cast, *rows: Membership, **given: str) -> str:
    body = {"action": "remove_members", "_selected_action": [str(row.pk) for row in rows], **given}
    answer = cast.platform.portal.post("/admin/organizations/membership/", body, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_admin_asks_for_the_heir_and_the_reason(cast: Cast) -> None:
    leaver = MembershipFactory(organization=cast.sample("organization"))
    heir = MembershipFactory(organization=cast.sample("organization")).user
    project = ProjectFactory(organization=leaver.organization, name="Only theirs")
    ProjectMembershipFactory(project=project, user=leaver.user, role=ProjectRole.OWNER)
    asked = in_the_admin(cast, leaver)
    assert 'name="heir"' in asked and 'name="reason"' in asked and "Only theirs" in asked
    stranger = cast.stranger.user.email
    for given in (
        {"reason": "Gone"},
        {"reason": "", "heir": heir.email},
        {"reason": "Gone", "heir": "nobody@example.com"},
        {"reason": "Gone", "heir": stranger},
    ):
        assert 'role="alert"' in in_the_admin(cast, leaver, **given), given
        assert Membership.objects.filter(pk=leaver.pk).exists()
    in_the_admin(cast, leaver, reason="Gone", heir=leaver.user.email)
    assert Membership.objects.filter(pk=leaver.pk).exists(), "nobody takes over from themselves"
    in_the_admin(cast, leaver, reason="Gone", heir=heir.email.upper())
    assert not Membership.objects.filter(pk=leaver.pk).exists()
    assert ProjectMembership.objects.get(project=project).user == heir
    (event,) = AuditEvent.objects.filter(action="membership.removed")
    assert readable([event])[0].params["because"] == "Gone"
    assert readable([event])[0].before["handed_over"] == ["Only theirs"]


def test_the_admin_asks_for_no_heir_where_nothing_is_handed_over(cast: Cast) -> None:
    leavers = [MembershipFactory(organization=cast.sample("organization")) for _number in range(2)]
    assert 'name="heir"' not in in_the_admin(cast, *leavers)
    in_the_admin(cast, *leavers, reason="Gone")
    assert not Membership.objects.filter(pk__in=[row.pk for row in leavers]).exists()


def test_the_admins_page_tells_no_project_to_those_who_may_not_remove(cast: Cast) -> None:
    leaver = MembershipFactory(organization=cast.sample("organization"))
    project = ProjectFactory(organization=leaver.organization, name="Only theirs")
    ProjectMembershipFactory(project=project, user=leaver.user, role=ProjectRole.OWNER)
    cast.member.user.is_staff = True
    cast.member.user.save(update_fields=["is_staff"])
    body = {"action": "remove_members", "_selected_action": [str(leaver.pk)]}
    for given in ({}, {"reason": "Mine"}):
        page = cast.member.portal.post("/admin/organizations/membership/", {**body, **given}, follow=True)
        assert "Only theirs" not in page.content.decode()
    assert Membership.objects.filter(pk=leaver.pk).exists()


def test_members_are_found_by_name_address_role_and_state(cast: Cast) -> None:
    membership = cast.sample("membership")
    cast.sample("suspended-membership")
    url = f"/organizations/{membership.organization_id}/members"

    def found(query: str) -> set[str]:
        return {row["id"] for row in cast.admin.rest.get(f"{url}?{query}").json()["results"]}

    assert found(f"search={membership.user.name[:12]}") == {str(membership.pk)}
    assert found(f"search={membership.user.email}") == {str(membership.pk)}
    assert found("state=suspended") == {str(cast.sample("suspended-membership").pk)}
    assert str(cast.admin.user.memberships.get().pk) in found("role=admin")


def test_the_pages_cost_the_same_for_many_members(cast: Cast) -> None:
    organization = cast.sample("organization")
    assert_constant_queries(
        lambda: cast.admin.portal.get("/organization/members/"),
        add_rows=lambda count: MembershipFactory.create_batch(count, organization=organization),
    )


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_leave_at_once_leave_one() -> None:
    first = MembershipFactory(role=Role.ADMIN)
    memberships = [first, MembershipFactory(organization=first.organization, role=Role.ADMIN)]
    barrier = threading.Barrier(2)
    refused: list[str] = []

    def leave(membership: Membership) -> None:
        try:
            actor = Actor.of(membership.user)
            barrier.wait(10)
            services.membership_remove(actor=actor, membership=membership)
        except DomainError as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=[membership]) for membership in memberships]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refused == ["last_admin"]
    assert Membership.objects.filter(role=Role.ADMIN).count() == 1


def test_an_heir_who_is_not_needed_gets_nothing(cast: Cast) -> None:
    heir = MembershipFactory(organization=cast.sample("organization")).user
    services.membership_remove(actor=cast.admin.actor, membership=cast.sample("membership"), heir=heir)
    assert not ProjectMembership.objects.filter(user=heir).exists()
    with pytest.raises(Invalid):
        services.membership_remove(
            actor=cast.admin.actor, membership=cast.member.user.memberships.get(), heir=cast.stranger.user
        )


def test_the_first_who_wait_stand_above_the_members_and_all_of_them_on_a_page(cast: Cast) -> None:
    waiting = [
        MembershipFactory(organization=cast.sample("organization"), state=MembershipState.PENDING).user.email
        for _number in range(WAITING_SHOWN + 1)
    ]
    url = "/organization/members/"
    page = cast.manager.portal.get(url).content.decode()
    assert [email for email in waiting if email in page] == waiting[:WAITING_SHOWN]
    assert f'href="{url}?state=pending"' in page
    assert cast.manager.user.email in page
    everybody = cast.manager.portal.get(f"{url}?state=pending").content.decode()
    assert [email for email in waiting if email not in everybody] == []
    assert cast.owner.user.email not in everybody
