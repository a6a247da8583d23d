"""What organizations themselves put into their export; their memberships end when the deletion begins."""

from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import RefreshToken
from apps.core.models import LooseObject
from apps.departures.contributions import Contribution, Removal, listed
from apps.departures.models import OrganizationExport
from apps.organizations.models import Membership, Organization

ORGANIZATION = listed(
    "organization",
    lambda organization_id: Organization.objects.filter(pk=organization_id),
    {
        "id": ("pk", "Id of the organization."),
        "company": ("company", "Company."),
        "division": ("division", "Division; may be empty."),
        "join_policy": ("join_policy", "What lets in who signs up with its name: approval, domain or invitation."),
        "join_domains": ("join_domains", "With domain: who has a verified address in one of these joins at once."),
        "join_role": ("join_role", "Role of those who join so: guest or engineer_i."),
        "require_mfa": ("require_mfa", "Whether members need a second factor."),
        "allows_public": ("allows_public", "Whether versions of its datasets may be public."),
        "created_at": ("created_at", "When it was founded."),
    },
)
QUOTAS = listed(
    "quotas",
    lambda organization_id: Organization.objects.filter(pk=organization_id),
    {
        "max_users": ("max_users", "Most members; null: no limit."),
        "max_storage_gb": ("max_storage_gb", "Most storage, in units of 10^9 bytes; null: no limit."),
        "max_gpu_hours_per_month": ("max_gpu_hours_per_month", "Most GPU hours in a calendar month; null: no limit."),
        "max_jobs_at_once": ("max_jobs_at_once", "Most jobs that run at once; null: no limit."),
        "max_calls_per_minute": ("max_calls_per_minute", "Most API calls a minute; null: the installation's limit."),
    },
)
PEOPLE = listed(
    "people",
    lambda organization_id: Membership.objects.filter(organization_id=organization_id),
    {
        "user_id": ("user_id", "Id of the person."),
        "name": ("user__name", "What others call them."),
        "email": ("user__email", "E-mail address."),
        "role": ("role", "admin, manager, engineer_ii, engineer_i or guest."),
        "state": ("state", "pending, active or suspended."),
        "since": ("created_at", "When they joined, or asked to."),
        "changed_at": ("updated_at", "When role or state last changed."),
    },
)


def _folder(organization_id: UUID) -> str:
    return f"exports/{organization_id}/"


def _tokens(organization_id: UUID) -> QuerySet[RefreshToken]:
    return RefreshToken.objects.filter(organization_id=organization_id)


def _exports(organization_id: UUID) -> QuerySet[OrganizationExport]:
    return OrganizationExport.objects.filter(organization_id=organization_id)


def _loose(organization_id: UUID) -> QuerySet[LooseObject]:
    """After the rows of all apps above, which leave such ones behind; the objects go with their folders."""
    return LooseObject.objects.filter(organization_id=organization_id)


CONTRIBUTION = Contribution(
    parts=(ORGANIZATION, QUOTAS, PEOPLE),
    removals=(Removal(_tokens), Removal(_exports), Removal(_loose)),
    folders=(_folder,),
)
