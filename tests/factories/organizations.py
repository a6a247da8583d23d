import factory
from factory.django import DjangoModelFactory

from apps.core.identity import Role
from apps.core.testing import Cast, sample
from apps.organizations.models import Membership, MembershipState, Organization
from tests.factories.accounts import UserFactory


class OrganizationFactory(DjangoModelFactory):
    class Meta:
        model = Organization

    company = factory.Sequence(lambda number: f"Company {number}")
    division = ""


class MembershipFactory(DjangoModelFactory):
    """An active engineer, unless told otherwise."""

    class Meta:
        model = Membership

    organization = factory.SubFactory(OrganizationFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.ENGINEER_I
    state = MembershipState.ACTIVE


@sample("organization", "organizations", "organizations.Organization", "organizations/quotas")
def organization(cast: Cast) -> Organization:
    return OrganizationFactory(company=f"Organization {cast.canary}")


@sample("foreign-organization")
def foreign_organization(cast: Cast) -> Organization:
    """The other one, which the stranger administers."""
    return OrganizationFactory(company="Other organization")


@sample("membership", "organizations.Membership", "organizations/members", "organization/members")
def membership(cast: Cast) -> Membership:
    return MembershipFactory(organization=cast.sample("organization"), user__name=f"colleague-{cast.canary}")


@sample("pending-membership")
def pending_membership(cast: Cast) -> Membership:
    return MembershipFactory(
        organization=cast.sample("organization"),
        user__name=f"applicant-{cast.canary}",
        state=MembershipState.PENDING,
    )


@sample("suspended-membership")
def suspended_membership(cast: Cast) -> Membership:
    return MembershipFactory(
        organization=cast.sample("organization"),
        user__name=f"suspended-{cast.canary}",
        state=MembershipState.SUSPENDED,
    )
