"""Two who ask for the same at once: one gets it, the other is told so. No breach of a constraint is a crash."""

import pytest
from django.core import mail
from django.db import IntegrityError, connection

from apps.accounts.models import User
from apps.core.errors.conflicts import conflict_of
from apps.core.identity import Role
from apps.core.testing import Cast
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.querysets import OrganizationQuerySet
from tests.factories.accounts import UserFactory
from tests.factories.organizations import OrganizationFactory
from tests.factories.resources import ResourceGroupFactory
from tests.organizations.test_sign_up import by_rest, mailed_key, verify

pytestmark = [pytest.mark.security, pytest.mark.django_db]

# Folded by LOWER to "k", by UPPER to itself: what only one of the two calls the same name.
KELVIN = "\N{KELVIN SIGN}"


def test_a_name_that_the_database_alone_finds_taken_is_a_conflict(cast: Cast) -> None:
    body = {"project_id": str(cast.sample("project").pk), "name": "kiwi"}
    assert cast.owner.rest.post("/datasets", body).status_code == 201
    answer = cast.owner.rest.post("/datasets", {**body, "name": f"{KELVIN}iwi"})
    assert (answer.status_code, answer.json()["code"]) == (409, "taken_meanwhile")
    assert answer.json()["detail"] == "The organization has a dataset of this name."


def test_renaming_a_resource_group_to_a_taken_name_is_a_conflict(cast: Cast) -> None:
    group = cast.sample("resource-group")
    other = ResourceGroupFactory(organization=group.organization, name="Taken")
    answer = cast.admin.rest.patch(f"/resource-groups/{group.pk}", {"name": other.name})
    assert (answer.status_code, answer.json()["detail"]) == (409, "There is a resource group of this name.")


def test_the_second_of_two_sign_ups_at_once_gets_the_same_answer_as_the_first() -> None:
    first = by_rest("first@example.com")
    # The check compares, the constraint folds: as if the row had come after the check.
    User.objects.filter(pk=UserFactory(email="second@example.com").pk).update(email="Second@Example.com")
    second = by_rest("second@example.com")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert User.objects.count() == 2
    assert [message.to for message in mail.outbox] == [["first@example.com"], ["second@example.com"]]


def test_the_second_of_two_founders_at_once_asks_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    by_rest("second@example.com", company="Acme")
    founded = OrganizationFactory(company="Acme", division="Vision")
    answers = iter([Organization.objects.none()])
    real = OrganizationQuerySet.named
    monkeypatch.setattr(OrganizationQuerySet, "named", lambda rows, *name: next(answers, None) or real(rows, *name))
    verify(mailed_key())
    membership = Membership.objects.get(user__email="second@example.com")
    assert (membership.organization, membership.state) == (founded, MembershipState.PENDING)
    assert membership.role == Role.ENGINEER_I


def test_a_company_is_known_by_the_folding_of_the_constraint() -> None:
    founded = OrganizationFactory(company="Kiwi", division="")
    by_rest("second@example.com", company=f"{KELVIN}iwi", division="")
    verify(mailed_key())
    assert Membership.objects.get(user__email="second@example.com").organization == founded


def test_a_breach_of_another_constraint_stays_a_crash() -> None:
    with pytest.raises(IntegrityError) as caught, connection.cursor() as cursor:
        cursor.execute("INSERT INTO organizations_organization (id) VALUES (NULL)")
    assert conflict_of(caught.value) is None
