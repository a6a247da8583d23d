"""Levels of a share, and the abstract tables: each kind of object has two of its own, with a direct foreign key.

They are django-guardian's: a row is one permission on one object for one person or one group. The permission is the
highest of the share's level, and a grantee has one row per object.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.utils.translation import gettext_lazy as _
from guardian.managers import GroupObjectPermissionManager, UserObjectPermissionManager
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from apps.core.entities import Entity
from apps.shares.querysets import ShareQuerySet


class Level(models.TextChoices):
    """What a share gives, highest first; each contains those below it."""

    MANAGE = "manage", _("Manage")  # and share it further
    EDIT = "edit", _("Edit")
    USE = "use", _("Use")  # as an input of one's own work
    VIEW = "view", _("View")

    @property
    def rank(self) -> int:
        """3 for manage down to 0 for view."""
        return len(Level) - 1 - list(Level).index(self)

    def codename(self, model_name: str) -> str:
        """Django's permission that stands for the level."""
        return f"{'change' if self == Level.EDIT else self.value}_{model_name}"

    def and_above(self) -> list["Level"]:
        return [level for level in Level if level.rank >= self.rank]


class Share(Entity):
    """What both kinds of rows have."""

    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("shared by"),
    )

    content_object: Any
    permission: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.content_object} · {self.level.label}"

    @property
    def level(self) -> Level:
        verb = self.permission.codename.partition("_")[0]
        return Level.EDIT if verb == "change" else Level(verb)

    @property
    def organization_id(self) -> Any:
        return self.content_object.organization_id


class UserShare(Share, UserObjectPermissionBase):
    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, verbose_name=_("level"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, verbose_name=_("person"))

    objects = UserObjectPermissionManager.from_queryset(ShareQuerySet)()  # type: ignore[misc]

    class Meta:
        abstract = True


class GroupShare(Share, GroupObjectPermissionBase):
    """The group is a project's (`Project.group`)."""

    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, verbose_name=_("level"))
    group = models.ForeignKey(Group, on_delete=models.CASCADE, verbose_name=_("project"))

    objects = GroupObjectPermissionManager.from_queryset(ShareQuerySet)()  # type: ignore[misc]

    class Meta:
        abstract = True
