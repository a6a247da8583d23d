from datetime import datetime
from typing import TYPE_CHECKING, Self

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.invitations.models import Invitation  # noqa: F401


class InvitationQuerySet(PermittedQuerySet["Invitation"]):
    def pending(self) -> Self:
        return self.filter(state="pending")

    def overdue(self, now: datetime) -> Self:
        """Nobody has answered in time, and no pass has noted it yet."""
        return self.pending().filter(expires_at__lte=now)

    def search(self, text: str) -> Self:
        return self.filter(email__icontains=text) if text else self
