"""Abstract models that the apps' models are made of."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities.ids import uuid7
from apps.core.errors import PreconditionFailed


class Entity(models.Model):
    """A row that has a URL: UUIDv7 key, times, and a version that grows with every change (for `If-Match`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        abstract = True

    def expect(self, version: int | None) -> None:
        """Raises `PreconditionFailed` when the row has another version than a caller has seen; None asks for none.

        Asked of a locked row: of two who change the same version at once, one is told.
        """
        if version is not None and version != self.version:
            raise PreconditionFailed(
                _("This was changed meanwhile."),
                hint=_("Load it again and repeat the change."),
                params={"version": self.version},
            )

    def change(self, **fields: Any) -> dict[str, tuple[Any, Any]]:
        """Writes the fields that differ, raises `version` by one, and returns `{name: (before, after)}`.

        The row must be locked by the caller (`select_for_update`); nothing is written when nothing differs.
        """
        changed = {}
        for name, value in fields.items():
            before = getattr(self, name)
            if before != value:
                changed[name] = (before, value)
                setattr(self, name, value)
        if changed:
            self.version += 1
            self.save(update_fields=[*changed, "version", "updated_at"])
        return changed


class Trashable(models.Model):
    """A row that people delete: it goes to the trash first and can come back."""

    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    # Since when it is being deleted for good: nobody sees it any more, and nothing brings it back.
    purged_at = models.DateTimeField(_("deleted for good"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def purge_due_at(self) -> datetime | None:
        """When it is deleted for good by itself, if nothing stands in the way; None: never."""
        if self.deleted_at is None or not settings.TRASH_RETENTION_DAYS:
            return None
        return self.deleted_at + timedelta(days=settings.TRASH_RETENTION_DAYS)
