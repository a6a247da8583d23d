from typing import TYPE_CHECKING

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.accounts.models import RefreshToken, User  # noqa: F401


class UserQuerySet(PermittedQuerySet["User"]):
    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)


class RefreshTokenQuerySet(PermittedQuerySet["RefreshToken"]):
    pass
