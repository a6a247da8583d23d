"""Abstract models that the apps' models are made of."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities.ids import uuid7


class Entity(models.Model):
    """A row that has a URL: UUIDv7 key, times, and a version that grows with every change (for `If-Match`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        abstract = True

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

    class Meta:
        abstract = True
