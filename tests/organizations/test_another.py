"""One more organization for somebody who has an account: founded, or asked for (T1, T4)."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.core.errors import Forbidden
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, RestClient
from apps.departures.services import account_delete
from apps.organizations.models import Barring, JoinPolicy, Membership, MembershipState, Organization
from apps.organizations.services import membership_approve, membership_remove, organization_ask
from apps.organizations.services.asking import MOST_A_DAY
from apps.organizations.services.memberships import MOST_FOUNDED
from tests.factories.accounts import UserFactory
from tests.factories.apikeys import key_of
from tests.factories.organizations import MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/organizations"


def asked(cast: Cast, person: str = "editor", **given: str) -> Any:
    return cast.person(person).rest.post(ADDRESS, given, format="json")


def test_an_organization_that_nobody_has_is_founded(cast: Cast) -> None:
    answer = asked(cast, company=" Borealis ", division="Optics")
    assert answer.status_code == 201, answer.json()
    made = Organization.objects.get(company="Borealis")
    assert answer.json() == {
        "organization_id": str(made.pk),
        "organization_name": "Borealis · Optics",
        "role": "admin",
        "state": "active",
    }
    event = AuditEvent.objects.get(action="organization.created", organization_id=made.pk)
    assert event.actor_id == cast.editor.user.pk


def test_one_that_is_there_is_asked_for_and_decides(cast: Cast) -> None:
    there = OrganizationFactory(company="Acme", division="Vision")
    answer = asked(cast, company="acme", division="VISION")
    assert (answer.status_code, answer.json()["state"]) == (201, "pending")
    assert asked(cast, company="Acme", division="Vision").json()["code"] == "already_asked"
    # Nothing of it is seen meanwhile.
    assert cast.editor.rest.get(f"{ADDRESS}/{there.pk}").status_code == 404
    Membership.objects.filter(organization=there).update(state=MembershipState.ACTIVE)
    assert asked(cast, company="Acme", division="Vision").json()["code"] == "already_member"


def test_a_domain_lets_in_at_once_and_an_invitation_is_told_of(cast: Cast) -> None:
    domain = cast.editor.user.email.partition("@")[2]
    OrganizationFactory(company="Open", join_policy=JoinPolicy.DOMAIN, join_domains=[domain], join_role=Role.GUEST)
    answer = asked(cast, company="Open")
    assert (answer.json()["state"], answer.json()["role"]) == ("active", "guest")
    closed = OrganizationFactory(company="Closed", join_policy=JoinPolicy.INVITATION)
    answer = asked(cast, company="Closed")
    assert (answer.status_code, answer.json()["code"]) == (409, "invitation_only")
    assert not Membership.objects.filter(organization=closed).exists()
    assert AuditEvent.objects.filter(action="membership.requested", organization_id=closed.pk).count() == 1


def test_so_many_are_founded_by_one_person_and_no_more(cast: Cast) -> None:
    for _number in range(MOST_FOUNDED):
        MembershipFactory(user=cast.editor.user, role=Role.ADMIN)
    assert asked(cast, company="One too many").json()["code"] == "organizations_too_many"
    assert not Organization.objects.filter(company="One too many").exists()


def test_names_are_not_tried_one_after_the_other(cast: Cast) -> None:
    """Each answer says whether there is such an organization, and stands in its log: of strangers, too."""
    closed = OrganizationFactory(company="Closed", join_policy=JoinPolicy.INVITATION)
    codes = [asked(cast, company="Closed").json()["code"] for _number in range(MOST_A_DAY)]
    assert set(codes) == {"invitation_only"}
    for company in ("Closed", "Other"):
        answer = asked(cast, company=company)
        assert (answer.status_code, answer.json()["code"]) == (429, "asked_too_often")
    page = cast.editor.portal.post(reverse("organizations:ask"), {"company": "Other"})
    assert page.status_code == 422
    assert not Organization.objects.filter(company="Other").exists()
    assert AuditEvent.objects.filter(action="membership.requested", organization_id=closed.pk).count() == MOST_A_DAY
    assert asked(cast, "viewer", company="Other").status_code == 201, "others ask for themselves"


def test_an_address_that_is_not_verified_founds_nothing() -> None:
    user = UserFactory(address=False)
    with pytest.raises(Forbidden) as refused:
        organization_ask(actor=Actor.of(user), company="Mine")
    assert refused.value.code == "address_unverified"


def test_a_key_founds_nothing(cast: Cast) -> None:
    client = RestClient(key_of(cast.editor, "organizations.view_organization", name="founder")[1])
    answer = client.post(ADDRESS, {"company": "By key"}, format="json")
    assert answer.status_code == 403
    assert not Organization.objects.filter(company="By key").exists()


@pytest.mark.parametrize("company", ["", "   ", "x" * 121, "<b>", "a\nb"], ids=repr)
def test_names_that_are_none_are_refused(cast: Cast, company: str) -> None:
    assert asked(cast, company=company).status_code == 400
    page = cast.editor.portal.post(reverse("organizations:ask"), {"company": company})
    assert page.status_code == 422


@override("en")
def test_the_page_leads_into_what_was_founded(cast: Cast) -> None:
    portal = cast.viewer.portal
    assert reverse("organizations:ask") in portal.get(reverse("dashboard")).content.decode()
    answer = portal.post(reverse("organizations:ask"), {"company": "Borealis"}, follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain[-1][0] == reverse("organizations:overview")
    assert "Borealis is there, and you are its administrator." in page
    assert portal.get(reverse("organizations:members")).status_code == 200


@override("en")
def test_somebody_of_no_organization_founds_one(client: Any) -> None:
    user = UserFactory(address=True)
    client.force_login(user)
    page = client.get(reverse("dashboard")).content.decode()
    assert reverse("organizations:ask") in page
    client.post(reverse("organizations:ask"), {"company": "First"})
    assert Membership.objects.get(user=user).role == Role.ADMIN
    answer = client.post(reverse("organizations:ask"), {"company": "First"})
    assert answer.status_code == 422 and "You belong to this organization already." in answer.content.decode()


@override("en")
def test_the_platform_founds_one_for_somebody_in_the_admin(cast: Cast) -> None:
    address = reverse("admin:organizations_organization_add")
    assert cast.admin.portal.get(address).status_code in {302, 403}
    portal = cast.platform.portal
    wrong = portal.post(address, {"company": "New", "division": "", "administrator": "nobody@nowhere.example"})
    assert "No account has this address." in wrong.content.decode()
    done = portal.post(address, {"company": "New", "division": "", "administrator": cast.viewer.user.email})
    assert done.status_code == 302, done.content.decode()
    assert Membership.objects.get(organization__company="New").user == cast.viewer.user
    again = portal.post(address, {"company": "new", "division": "", "administrator": cast.viewer.user.email})
    assert again.status_code == 200 and "exists already" in again.content.decode()


def test_who_is_suspended_does_not_leave_and_come_back_by_the_domain(cast: Cast) -> None:
    """Everybody may leave; who had lost their rights there gets none by asking for them."""
    domain = cast.editor.user.email.partition("@")[2]
    there = OrganizationFactory(company="Open", join_policy=JoinPolicy.DOMAIN, join_domains=[domain])
    own = MembershipFactory(organization=there, user=cast.editor.user, state=MembershipState.SUSPENDED)
    membership_remove(actor=Actor.of(cast.editor.user), membership=own)
    assert asked(cast, company="Open").json()["state"] == "pending"
    # Nor by taking the question back.
    membership_remove(actor=Actor.of(cast.editor.user), membership=Membership.objects.get(organization=there))
    assert asked(cast, company="Open").json()["state"] == "pending"


def test_whom_a_manager_took_out_waits_for_one_who_lets_them_in(cast: Cast) -> None:
    domain = cast.editor.user.email.partition("@")[2]
    there = OrganizationFactory(company="Open", join_policy=JoinPolicy.DOMAIN, join_domains=[domain])
    head = Actor.of(MembershipFactory(organization=there, role=Role.ADMIN).user)
    own = MembershipFactory(organization=there, user=cast.editor.user)
    membership_remove(actor=head, membership=own)
    assert asked(cast, company="Open").json()["state"] == "pending"
    membership_approve(actor=head, membership=Membership.objects.get(organization=there, user=cast.editor.user))
    # From then on it is theirs to go and to come.
    membership_remove(
        actor=Actor.of(cast.editor.user), membership=Membership.objects.get(user=cast.editor.user, organization=there)
    )
    assert asked(cast, company="Open").json()["state"] == "active"


def test_who_was_suspended_does_not_come_back_with_a_new_account_of_the_address(cast: Cast) -> None:
    """The account goes, and what the organization decided about its person stays, without the address."""
    user, email = cast.editor.user, cast.editor.user.email
    there = OrganizationFactory(company="Open", join_policy=JoinPolicy.DOMAIN, join_domains=[email.partition("@")[2]])
    head = Actor.of(MembershipFactory(organization=there, role=Role.ADMIN).user)
    MembershipFactory(organization=there, user=user, state=MembershipState.SUSPENDED)
    account_delete(actor=cast.editor.actor, user=user, email=email, heirs={})
    (kept,) = Barring.objects.filter(organization=there)
    assert kept.user is None and email.partition("@")[0] not in kept.address
    again = UserFactory(email=email, address=True)
    membership = organization_ask(actor=Actor.of(again), company="Open")
    assert membership is not None and membership.state == MembershipState.PENDING
    membership_approve(actor=head, membership=membership)
    assert not Barring.objects.filter(organization=there).exists()


def test_who_deletes_an_account_in_good_standing_is_barred_nowhere(cast: Cast) -> None:
    user, email = cast.editor.user, cast.editor.user.email
    there = OrganizationFactory(company="Open", join_policy=JoinPolicy.DOMAIN, join_domains=[email.partition("@")[2]])
    MembershipFactory(organization=there, user=user)
    account_delete(actor=cast.editor.actor, user=user, email=email, heirs={})
    assert not Barring.objects.exists()
    again = UserFactory(email=email, address=True)
    membership = organization_ask(actor=Actor.of(again), company="Open")
    assert membership is not None and membership.state == MembershipState.ACTIVE
