"""The five roles that a person can hold in an organization; those in a project are `projects`' own."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """Roles in an organization, highest first."""

    ADMIN = "admin", _("Administrator")
    MANAGER = "manager", _("Manager")
    ENGINEER_II = "engineer_ii", _("Engineer II")
    ENGINEER_I = "engineer_i", _("Engineer I")
    GUEST = "guest", _("Guest")

    @property
    def rank(self) -> int:
        """4 for an administrator down to 0 for a guest."""
        return len(Role) - 1 - list(Role).index(self)

    def at_least(self, other: "Role") -> bool:
        return self.rank >= other.rank
