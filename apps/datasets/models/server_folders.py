"""Folders of the server that may be taken in."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.querysets import ServerFolderQuerySet
from apps.organizations.models import Organization


class ServerFolder(Entity):
    """A folder of the machines that the portal runs on, from which one organization's engineers may take files.

    Those who run the platform name it; its path is shown to nobody else.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="server_folders", verbose_name=_("organization")
    )
    name = models.CharField(_("name"), max_length=120)
    path = models.CharField(_("path"), max_length=1000)

    objects = ServerFolderQuerySet.as_manager()

    class Meta:
        verbose_name = _("server folder")
        verbose_name_plural = _("server folders")
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="server_folder_name_unique",
                violation_error_message=_("The organization has a server folder of this name already."),
            ),
            models.UniqueConstraint(
                fields=["organization", "path"],
                name="server_folder_path_unique",
                violation_error_message=_("The organization may use this folder already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
