from typing import TYPE_CHECKING

from django.utils import timezone

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.accounts.models import RefreshToken, User  # noqa: F401


class UserQuerySet(PermittedQuerySet["User"]):
    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)


class RefreshTokenQuerySet(PermittedQuerySet["RefreshToken"]):
    def live(self) -> "RefreshTokenQuerySet":
        """One for each program that is signed in."""
        return self.filter(used_at__isnull=True, revoked_at__isnull=True, expires_at__gt=timezone.now())
