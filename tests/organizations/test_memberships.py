"""Who lets whom into an organization, and with which role."""

import threading

import pytest
from django.db import connections

from apps.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, PermissionMatrix
from apps.organizations import services
from apps.organizations.models import Membership, MembershipState
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory


class TestOrganizations(PermissionMatrix):
    rest = """
                                        owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET    /organizations               200    =       =       =       =        =      =      =         401        200
    GET    /organizations/{organization} 200   =       =       =       =        =      =      404       401        200
    PATCH  /organizations/{organization} 403   =       =       =       =        200    403    404       401        200
    GET    /audit-logs                  200    =       =       =       =        =      =      =         401        200
    GET    /me                          200    =       =       =       =        =      =      =         401        200
    POST   /ws-tickets                  201    =       =       =       =        =      =      =         401        201
    """
    bodies = {"PATCH /organizations/{organization}": {"division": "Renamed"}}
    admin = """
                                                                        owner  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/organizations/membership/                              200    =        =      =      =         302        200
    GET   /admin/organizations/membership/{pending-membership}/change/  200    200      200    302    302       302        200
    POST  /admin/organizations/membership/{pending-membership}/change/  403    302      302    302    302       302        302
    GET   /admin/organizations/organization/{organization}/change/      200    200      200    200    302       302        200
    """
    # The policy's second half is in the service: a manager grants no role at or above the own one.
    bodies |= {
        "POST /admin/organizations/membership/{pending-membership}/change/": {
            "role": "engineer_ii",
            "reason": "a test",
        }
    }


@pytest.mark.parametrize(
    ("granting", "allowed"),
    [
        ("admin", set(Role)),
        ("manager", {Role.ENGINEER_II, Role.ENGINEER_I, Role.GUEST}),
        ("platform", set(Role)),
    ],
)
def test_people_grant_roles_below_their_own_and_administrators_all(
    cast: Cast, granting: str, allowed: set[Role]
) -> None:
    organization = cast.sample("organization")
    given = set()
    for role in Role:
        try:
            membership = services.membership_add(
                actor=cast.person(granting).actor, organization=organization, user=UserFactory(), role=role
            )
        except Forbidden as error:
            assert error.code == "role_above_own"
        else:
            assert (membership.role, membership.state) == (role, MembershipState.ACTIVE)
            given.add(role)
    assert given == allowed


@pytest.mark.parametrize("persona", ["owner", "guest"])
def test_engineers_and_guests_let_nobody_in(cast: Cast, persona: str) -> None:
    actor = cast.person(persona).actor
    with pytest.raises(Forbidden):
        services.membership_add(
            actor=actor, organization=cast.sample("organization"), user=UserFactory(), role=Role.GUEST
        )
    with pytest.raises((Forbidden, NotFound)):
        services.membership_approve(actor=actor, membership=cast.sample("pending-membership"))


def test_a_pending_person_is_let_in_once(cast: Cast) -> None:
    pending = cast.sample("pending-membership")
    services.membership_approve(actor=cast.manager.actor, membership=pending, role=Role.ENGINEER_II)
    assert Actor.of(pending.user).role == Role.ENGINEER_II
    with pytest.raises(Conflict) as caught:
        services.membership_approve(actor=cast.manager.actor, membership=pending)
    assert caught.value.code == "not_pending"


def test_a_member_cannot_be_added_twice(cast: Cast) -> None:
    with pytest.raises(Conflict) as caught:
        services.membership_add(
            actor=cast.admin.actor,
            organization=cast.sample("organization"),
            user=cast.sample("membership").user,
            role=Role.GUEST,
        )
    assert caught.value.code == "already_member"


def test_a_manager_changes_neither_administrators_nor_managers(cast: Cast) -> None:
    for person in (cast.admin, cast.manager):
        membership = person.user.memberships.get()
        with pytest.raises(Forbidden):
            services.membership_change_role(actor=cast.manager.actor, membership=membership, role=Role.GUEST)
    with pytest.raises(Forbidden):
        services.membership_change_role(
            actor=cast.manager.actor, membership=cast.manager.user.memberships.get(), role=Role.ADMIN
        )


def test_the_last_administrator_stays(cast: Cast) -> None:
    membership = cast.admin.user.memberships.get()
    with pytest.raises(Conflict) as caught:
        services.membership_change_role(actor=cast.admin.actor, membership=membership, role=Role.MANAGER)
    assert caught.value.code == "last_admin"
    MembershipFactory(organization=cast.sample("organization"), role=Role.ADMIN)
    services.membership_change_role(actor=cast.admin.actor, membership=membership, role=Role.MANAGER)
    membership.refresh_from_db()
    assert membership.role == Role.MANAGER


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_step_down_at_once_leave_one() -> None:
    organization = OrganizationFactory()
    memberships = [MembershipFactory(organization=organization, role=Role.ADMIN) for _number in range(2)]
    barrier = threading.Barrier(2)
    refused: list[str] = []

    def step_down(membership: Membership) -> None:
        try:
            actor = Actor.of(membership.user)
            barrier.wait(10)
            services.membership_change_role(actor=actor, membership=membership, role=Role.GUEST)
        except DomainError as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=step_down, args=[membership]) for membership in memberships]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refused == ["last_admin"]
    assert Membership.objects.filter(role=Role.ADMIN).count() == 1


def test_only_the_platform_creates_organizations_directly(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        services.organization_create(actor=cast.admin.actor, company="New", admin=cast.admin.user)
    organization = services.organization_create(
        actor=cast.platform.actor, company="New", division="One", admin=cast.admin.user
    )
    assert organization.memberships.get().role == Role.ADMIN
    with pytest.raises(Conflict):
        services.organization_create(actor=Actor.system("test"), company="NEW", division="one", admin=cast.admin.user)


def test_an_organization_takes_only_its_own_fields(cast: Cast) -> None:
    organization = cast.sample("organization")
    with pytest.raises(Invalid):
        services.organization_change(actor=cast.admin.actor, organization=organization, id="x")
    response = cast.admin.rest.patch(
        f"/organizations/{organization.pk}", {"division": "New", "version": 99, "id": "x"}
    )
    assert (response.status_code, response.json()["version"]) == (200, 2)


@pytest.mark.parametrize("body", [{"company": ""}, {"company": "a\x00b"}, {"company": "<b>"}, {"join_policy": "open"}])
def test_a_bad_organization_is_refused_and_unchanged(cast: Cast, body: dict[str, str]) -> None:
    organization = cast.sample("organization")
    response = cast.admin.rest.patch(f"/organizations/{organization.pk}", body)
    assert response.status_code == 400
    organization.refresh_from_db()
    assert organization.version == 1


def test_another_organizations_name_cannot_be_taken(cast: Cast) -> None:
    other = cast.sample("foreign-organization")
    response = cast.admin.rest.patch(
        f"/organizations/{cast.sample('organization').pk}", {"company": other.company.upper(), "division": ""}
    )
    assert response.status_code in {400, 409}
