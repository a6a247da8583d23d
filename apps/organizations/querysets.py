from typing import TYPE_CHECKING, Self
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Lower

from apps.accounts.models import SECOND_FACTORS
from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.organizations.models import Membership, Organization  # noqa: F401


class OrganizationQuerySet(PermittedQuerySet["Organization"]):
    def named(self, company: str, division: str) -> Self:
        """The one of this name, by the same folding of case as the constraint's."""
        rows = self.annotate(folded_company=Lower("company"), folded_division=Lower("division"))
        return rows.filter(folded_company=Lower(Value(company)), folded_division=Lower(Value(division)))


class MembershipQuerySet(PermittedQuerySet["Membership"]):
    def search(self, text: str) -> Self:
        """Those whose name or address holds the text."""
        return self.filter(user__search_text__contains=Lower(Value(text))) if text else self

    def active(self) -> "MembershipQuerySet":
        return self.filter(state="active", user__is_active=True)

    def locked(self) -> "MembershipQuerySet":
        """Where the organization demands a second factor and the person has none."""
        return self.filter(self._lock())

    def exclude_locked(self, proven: UUID | None = None) -> "MembershipQuerySet":
        return self.filter(~self._lock() | Q(organization_id=proven) if proven else ~self._lock())

    @staticmethod
    def _lock() -> Q:
        factors = Authenticator.objects.filter(user_id=OuterRef("user_id"), type__in=SECOND_FACTORS)
        return Q(organization__require_mfa=True) & ~Q(Exists(factors))
