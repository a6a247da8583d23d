"""Files that somebody sends straight to the object store."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.models.uploads import Upload
from apps.organizations.models import Organization


class DirectFile(Entity):
    """One file of an upload, on its way to the store in parts.

    The row outlives its upload: it is what the sweep goes by to remove what lies in the store.
    """

    upload = models.ForeignKey(
        Upload,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="direct_files",
        verbose_name=_("upload"),
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", verbose_name=_("organization")
    )
    path = models.CharField(_("path"), max_length=1024)
    byte_count = models.PositiveBigIntegerField(_("bytes"))
    part_bytes = models.PositiveBigIntegerField(_("bytes of a part"))
    # Where it lies in the store, and the store's name for the upload in parts.
    key = models.CharField(_("key"), max_length=200, unique=True)
    store_upload = models.TextField(_("upload in the store"))
    # SHA-256 of each part, as the sender said when everything was sent.
    part_digests = models.JSONField(_("digests of the parts"), default=list, blank=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    # SHA-256 of the whole, once a worker has read it and found every part as it was sent.
    digest = models.CharField(_("digest"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("file sent to the store")
        verbose_name_plural = _("files sent to the store")
        ordering: ClassVar[list[str]] = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["upload", "path"],
                name="direct_file_once",
                violation_error_message=_("This path is being sent already."),
            )
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def part_count(self) -> int:
        return -(-self.byte_count // self.part_bytes)

    def part_size(self, number: int) -> int:
        """Bytes of a part, by its number from 1; the last one has what is left."""
        return min(self.part_bytes, self.byte_count - (number - 1) * self.part_bytes)
