"""What single sign-on puts into an organization's export, never the client's secret, and how it goes with it."""

from typing import Any
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, OuterRef, QuerySet
from django.db.models.functions import Cast

from apps.accounts.services.sessions import end_vouched
from apps.departures.contributions import Contribution, Removal, listed
from apps.singlesignon.models import Connection, Domain


def _connections(organization_id: UUID) -> QuerySet[Connection]:
    return Connection.objects.filter(organization_id=organization_id)


def _with_domains(organization_id: UUID) -> QuerySet[Any]:
    names = Domain.objects.filter(connection=OuterRef("pk")).order_by("name").values("name")
    return _connections(organization_id).annotate(names=ArraySubquery(names))


def _accounts(organization_id: UUID) -> QuerySet[Any]:
    """allauth's rows name the connection as text."""
    own = _connections(organization_id).values_list(Cast("pk", CharField()))
    rows: QuerySet[Any] = SocialAccount.objects.filter(provider__in=own)
    return rows


CONNECTION = listed(
    "single-sign-on",
    _with_domains,
    {
        "id": ("pk", "Id of the connection; the client's secret is in no export."),
        "short_name": ("short_name", "Short name by which people begin."),
        "issuer": ("issuer", "Address of the provider."),
        "client_id": ("client_id", "Id of this portal at the provider."),
        "domains": ("names", "Domains of e-mail addresses for which the provider answers."),
        "role": ("role", "Role of new people: engineer_ii, engineer_i or guest."),
        "admission": ("admission", "What the first sign-in makes of people: approval (they wait) or member."),
        "is_enabled": ("is_enabled", "Whether it is switched on."),
        "created_at": ("created_at", "When it was set up."),
    },
)
ACCOUNTS = listed(
    "single-sign-on-accounts",
    _accounts,
    {
        "user_id": ("user_id", "Id of the person."),
        "subject": ("uid", "What the provider calls them."),
        "since": ("date_joined", "When they first signed in by it."),
    },
)


def _signed_out(rows: QuerySet[Any]) -> None:
    """Who came in while the memberships ended."""
    for organization_id in rows.values_list("organization_id", flat=True):
        end_vouched(organization_id)


CONTRIBUTION = Contribution(
    parts=(CONNECTION, ACCOUNTS),
    removals=(Removal(_accounts), Removal(_connections, within=_signed_out)),
)
