"""Joining an organization that exists: what its policy makes of a verified address, and which domains it may name."""

import threading
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import DatabaseError, IntegrityError, connections, transaction

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import DomainError, Invalid
from apps.core.identity import Actor, Role
from apps.core.testing import Cast
from apps.organizations import services
from apps.organizations.domains import domain_of, is_public, normal
from apps.organizations.models import JoinPolicy, Membership, MembershipState, Organization
from apps.organizations.services.quotas import seats_taken
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.organizations.test_sign_up import by_form, by_rest, mailed_key, token, verify

pytestmark = pytest.mark.django_db


def by_domain(**fields: Any) -> Organization:
    return OrganizationFactory(
        company="Acme", division="Vision", join_policy=JoinPolicy.DOMAIN, join_domains=["acme.example"], **fields
    )


def joined(email: str, verified: bool = True) -> Membership | None:
    """The membership of a person who signed up with the company's name and has this address."""
    user = UserFactory(email=email, address=verified, signup_company="Acme", signup_division="Vision")
    return services.organization_join(actor=Actor.of(user), user=user)


def admin_of(organization: Organization, email: str, **fields: Any) -> Actor:
    fields = {"role": Role.ADMIN, **fields}
    return Actor.of(MembershipFactory(organization=organization, user__email=email, **fields).user)


@pytest.mark.parametrize("door", [by_rest, by_form], ids=["rest", "form"])
@pytest.mark.parametrize("role", [Role.GUEST, Role.ENGINEER_I])
def test_an_address_of_the_domain_joins_at_once_with_the_policys_role(door: Any, role: Role) -> None:
    organization = by_domain(join_role=role)
    door("new@acme.example")
    assert not Membership.objects.exists(), "nothing before the address is verified"
    verify(mailed_key())
    membership = Membership.objects.get()
    assert (membership.organization, membership.role, membership.state) == (organization, role, "active")
    assert token("new@acme.example").json()["role"] == role
    (event,) = AuditEvent.objects.filter(action="membership.joined")
    assert event.organization_id == organization.pk
    assert "acme.example" in readable([event])[0].sentence


@pytest.mark.parametrize(
    "email",
    [
        "new@other.example",
        "new@eu.acme.example",
        "new@acme.example.net",
        "new@notacme.example",
        "acme.example@other.example",
    ],
)
def test_an_address_elsewhere_waits_for_approval(email: str) -> None:
    by_domain()
    membership = joined(email)
    assert membership is not None
    assert (membership.state, membership.role) == (MembershipState.PENDING, Role.ENGINEER_I)
    assert not AuditEvent.objects.filter(action="membership.joined").exists()


def test_an_address_that_is_not_verified_proves_nothing() -> None:
    by_domain()
    membership = joined("new@acme.example", verified=False)
    assert membership is not None
    assert membership.state == MembershipState.PENDING


def test_domains_count_under_their_policy_only() -> None:
    organization = by_domain()
    organization.change(join_policy=JoinPolicy.APPROVAL)
    membership = joined("one@acme.example")
    assert membership is not None
    assert membership.state == MembershipState.PENDING
    organization.change(join_policy=JoinPolicy.INVITATION)
    assert joined("two@acme.example") is None
    assert Membership.objects.count() == 1


def test_a_suspended_member_does_not_come_back_by_the_domain() -> None:
    organization = by_domain()
    suspended = MembershipFactory(organization=organization, state=MembershipState.SUSPENDED)
    user = suspended.user
    EmailAddress.objects.create(user=user, email="back@acme.example", verified=True)
    user.change(signup_company="Acme", signup_division="Vision")
    services.organization_join(actor=Actor.of(user), user=user)
    assert Membership.objects.get().state == MembershipState.SUSPENDED


def test_without_a_seat_the_person_waits() -> None:
    organization = by_domain(max_users=1)
    MembershipFactory(organization=organization, role=Role.ADMIN)
    membership = joined("new@acme.example")
    assert membership is not None
    assert (membership.state, seats_taken(organization.pk)) == (MembershipState.PENDING, 1)


@pytest.mark.django_db(transaction=True)
def test_the_last_seat_is_given_once_to_those_who_join_at_once() -> None:
    organization = by_domain(max_users=2)
    MembershipFactory(organization=organization, role=Role.ADMIN)
    people = [
        UserFactory(email=f"p{number}@acme.example", signup_company="Acme", signup_division="Vision")
        for number in range(8)
    ]
    barrier = threading.Barrier(len(people))
    failed: list[Exception] = []

    def join(user: Any) -> None:
        try:
            actor = Actor.of(user)
            barrier.wait(20)
            services.organization_join(actor=actor, user=user)
        except (DomainError, DatabaseError) as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=join, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert seats_taken(organization.pk) == 2
    assert Membership.objects.filter(state=MembershipState.PENDING).count() == 7


def test_every_policy_answers_sign_up_and_verification_alike() -> None:
    answers = []
    by_domain(max_users=None)
    for number, policy in enumerate(JoinPolicy):
        Organization.objects.update(join_policy=policy)
        signed_up = by_rest(f"new{number}@acme.example")
        verified = verify(mailed_key())
        answers.append((signed_up.status_code, signed_up.content, verified.status_code, verified.content))
    founded = by_rest("founder@acme.example", company="New")
    answers.append((founded.status_code, founded.content, verify(mailed_key()).status_code, b""))
    assert len(set(answers)) == 1
    assert len(mail.outbox) == 4


@pytest.mark.parametrize("written", ["ACME.example", "@acme.example", " acme.example "])
def test_an_administrators_verified_address_proves_a_domain(written: str) -> None:
    organization = OrganizationFactory()
    actor = admin_of(organization, "boss@acme.example")
    services.organization_change(
        actor=actor, organization=organization, join_policy="domain", join_domains=[written, "acme.example"]
    )
    organization.refresh_from_db()
    assert (organization.join_domains, organization.join_role) == (["acme.example"], Role.GUEST)


@pytest.mark.parametrize(
    ("fields", "verified"),
    [
        ({"role": Role.MANAGER}, True),
        ({"state": MembershipState.SUSPENDED}, True),
        ({"user__is_active": False}, True),
        ({}, False),
    ],
    ids=["manager", "suspended", "inactive", "unverified"],
)
def test_nobody_elses_address_proves_one(fields: dict[str, Any], verified: bool) -> None:
    organization = OrganizationFactory()
    actor = admin_of(organization, "boss@elsewhere.example")
    admin_of(organization, "other@acme.example", user__address=verified, **fields)
    with pytest.raises(Invalid) as caught:
        services.organization_change(actor=actor, organization=organization, join_domains=["acme.example"])
    assert (caught.value.code, list(caught.value.fields)) == ("domain_refused", ["join_domains"])
    assert "acme.example" in caught.value.fields["join_domains"][0]
    organization.refresh_from_db()
    assert organization.join_domains == []


def test_a_domain_of_another_organizations_administrator_is_not_ones_own() -> None:
    admin_of(OrganizationFactory(), "boss@acme.example")
    organization = OrganizationFactory()
    actor = admin_of(organization, "boss@elsewhere.example")
    with pytest.raises(Invalid):
        services.organization_change(actor=actor, organization=organization, join_domains=["acme.example"])


def test_the_platform_sets_a_domain_that_stays_when_others_are_added(cast: Cast) -> None:
    organization = OrganizationFactory()
    actor = admin_of(organization, "boss@acme.example")
    services.organization_change(actor=cast.platform.actor, organization=organization, join_domains=["sister.example"])
    both = ["acme.example", "sister.example"]
    services.organization_change(actor=actor, organization=organization, join_domains=both)
    organization.refresh_from_db()
    assert organization.join_domains == both
    services.organization_change(actor=actor, organization=organization, join_domains=["acme.example"])
    with pytest.raises(Invalid):
        services.organization_change(actor=actor, organization=organization, join_domains=both)


@pytest.mark.parametrize(
    "domain",
    ["gmail.com", "naver.com", "mail.naver.com", "yahoo.co.kr", "hotmail.de", "GMAIL.COM", "qq.com", "hanmail.net"],
)
def test_public_mail_domains_are_refused_to_everybody(cast: Cast, domain: str) -> None:
    organization = OrganizationFactory()
    actor = admin_of(organization, f"boss@{domain}")
    for who in (actor, cast.platform.actor):
        with pytest.raises(Invalid):
            services.organization_change(actor=who, organization=organization, join_domains=[domain])


@pytest.mark.parametrize("text", ["", "com", "no domain", "a..b", "-a.example", "http://acme.example", "a@b.example"])
def test_what_is_no_domain_is_refused_by_name(cast: Cast, text: str) -> None:
    organization = cast.sample("organization")
    answer = cast.platform.rest.patch(f"/organizations/{organization.pk}", {"join_domains": [text]})
    assert answer.status_code == 400
    assert any(name.startswith("join_domains") for name in answer.json()["errors"])


def test_domains_are_compared_as_mail_goes_by_them() -> None:
    assert normal("한국.example") == domain_of("person@한국.EXAMPLE") == "xn--3e0b707e.example"
    assert [is_public(domain) for domain in ("gmail.com", "gmail.acme.example.com", "notgmail.com")] == [
        True,
        False,
        False,
    ]


def test_the_policy_needs_a_domain_in_the_service_and_in_the_database(cast: Cast) -> None:
    organization = cast.sample("organization")
    answer = cast.admin.rest.patch(f"/organizations/{organization.pk}", {"join_policy": "domain"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["join_domains"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(join_policy="domain")
    with pytest.raises(IntegrityError), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(join_role="admin")


def test_administrators_set_it_over_rest_and_members_read_it(cast: Cast) -> None:
    organization = cast.sample("organization")
    domain = domain_of(cast.admin.user.email)  # type: ignore[union-attr]
    body = {"join_policy": "domain", "join_domains": [domain.upper()], "join_role": "engineer_i"}
    url = f"/organizations/{organization.pk}"
    assert cast.manager.rest.patch(url, body).status_code == 403
    kept = {**body, "join_domains": [domain]}
    changed = cast.admin.rest.patch(url, body)
    assert (changed.status_code, {name: changed.json()[name] for name in body}) == (200, kept)
    assert {name: cast.viewer.rest.get(url).json()[name] for name in body} == kept
    assert cast.stranger.rest.get(url).status_code == 404
    assert cast.admin.rest.patch(url, {"join_role": "manager"}).status_code == 400
    event = AuditEvent.objects.filter(action="organization.changed").latest("pk")
    assert readable([event])[0].after["join_domains"] == [domain]


def test_the_settings_page_takes_domains_in_one_line_and_says_what_is_wrong(cast: Cast) -> None:
    organization = cast.sample("organization")
    domain = domain_of(cast.admin.user.email)  # type: ignore[union-attr]
    body = {
        "company": organization.company,
        "join_policy": "domain",
        "join_domains": f"{domain}, sister.test",
        "join_role": "engineer_i",
    }
    refused = cast.admin.portal.post("/organization/settings/", body)
    assert refused.status_code == 422
    assert "No administrator here has a verified address at sister.test." in refused.content.decode()
    assert cast.admin.portal.post("/organization/settings/", {**body, "join_domains": domain}).status_code == 302
    organization.refresh_from_db()
    assert (organization.join_policy, organization.join_domains) == (JoinPolicy.DOMAIN, [domain])
    page = cast.viewer.portal.get("/organization/settings/").content.decode()
    assert domain in page
    assert "Engineer I" in page


def test_the_admin_takes_them_by_the_same_rules(cast: Cast) -> None:
    organization = cast.sample("organization")
    url = f"/admin/organizations/organization/{organization.pk}/change/"
    body = {
        "company": organization.company,
        "join_policy": "domain",
        "join_role": "guest",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    refused = cast.platform.portal.post(url, {**body, "join_domains": "gmail.com"}, follow=True)
    assert "Everybody can have an address at gmail.com." in refused.content.decode()
    assert cast.platform.portal.post(url, {**body, "join_domains": "a.test, b.test"}).status_code == 302
    organization.refresh_from_db()
    assert organization.join_domains == ["a.test", "b.test"]
