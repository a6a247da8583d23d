"""The actor: roles, the chosen organization, and how doors make it."""

import dataclasses
from uuid import uuid4

import pytest

from apps.core.entities import uuid7
from apps.core.identity import Actor, Role
from apps.core.testing import Cast
from tests.factories.organizations import MembershipFactory


def test_roles_are_ordered_from_guest_to_administrator() -> None:
    assert [role.rank for role in Role] == [4, 3, 2, 1, 0]
    assert Role.MANAGER.at_least(Role.ENGINEER_II)
    assert Role.GUEST.at_least(Role.GUEST)
    assert not Role.GUEST.at_least(Role.ENGINEER_I)


def test_an_actor_cannot_be_changed_after_it_was_made() -> None:
    actor = Actor.anonymous()
    with pytest.raises(dataclasses.FrozenInstanceError):
        actor.organization_id = uuid4()  # type: ignore[misc]
    with pytest.raises(TypeError):
        actor.memberships[uuid4()] = Role.ADMIN  # type: ignore[index]


@pytest.mark.django_db
def test_a_chosen_organization_selects_and_never_grants() -> None:
    membership = MembershipFactory(role=Role.ENGINEER_II)
    foreign = MembershipFactory().organization_id
    actor = Actor.of(membership.user, organization_id=foreign)
    assert actor.organization_id == membership.organization_id, "not a member there: the first own one is chosen"
    assert actor.role == Role.ENGINEER_II
    narrowed = Actor.of(membership.user, organization_id=foreign, narrow=True)
    assert not narrowed.memberships
    assert narrowed.role is None


@pytest.mark.django_db
def test_roles_are_read_afresh_for_each_actor() -> None:
    membership = MembershipFactory(role=Role.ADMIN)
    assert Actor.of(membership.user).role == Role.ADMIN
    membership.change(role=Role.GUEST)
    assert Actor.of(membership.user).role == Role.GUEST


def test_the_session_chooses_among_ones_own_organizations_only(cast: Cast) -> None:
    second = MembershipFactory(user=cast.owner.user).organization
    foreign = cast.sample("foreign-organization")
    for chosen, expected in ((second, second.pk), (foreign, second.pk)):
        cast.owner.portal.post("/organization/choose/", {"organization": str(chosen.pk)})
        assert cast.owner.portal.session["organization_id"] == str(expected)
    cast.owner.portal.post("/organization/choose/", {"organization": "no id"})
    assert cast.owner.portal.session["organization_id"] == str(second.pk)


def test_ids_are_version_7_and_strictly_increasing() -> None:
    made = [uuid7() for _number in range(20_000)]
    assert made == sorted(set(made))
    assert {(value.version, value.variant) for value in made} == {(7, "specified in RFC 4122")}
