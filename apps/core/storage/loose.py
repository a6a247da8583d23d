"""Objects whose last row went: kept for a grace, for whoever stores the same again and for a database that is put back
from its backup."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class LooseObject(models.Model):
    """A blob of an organization that lost a row which named it. Whether others name it is asked when the grace ends."""

    id = models.BigAutoField(primary_key=True)
    # A plain id: organizations stand above.
    organization_id = models.UUIDField(_("organization"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("object without a row")
        verbose_name_plural = _("objects without rows")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["organization_id", "sha256"], name="loose_object_unique")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["since"], name="loose_object_since")]

    def __str__(self) -> str:
        return self.sha256[:12]


def grace() -> timedelta:
    """How long an object without a row is kept: the rule of the sweeps and of `storage_fsck`."""
    return timedelta(hours=settings.STORAGE_GRACE_HOURS)


def note_loose(named: Iterable[tuple[UUID, str]]) -> None:
    """Notes (organization, sha256) of rows that are deleted in this transaction; the grace begins, or begins anew."""
    now = timezone.now()
    rows = [LooseObject(organization_id=owner, sha256=sha256, since=now) for owner, sha256 in sorted(set(named))]
    LooseObject.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["organization_id", "sha256"], update_fields=["since"]
    )
