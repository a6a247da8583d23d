"""Files on their way into a dataset."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.analysis import Analysis
from apps.datasets.models.choices import BUSY_UPLOADS, UPLOAD_COLORS, PublishMode, UploadState
from apps.datasets.models.datasets import Dataset
from apps.datasets.models.versions import Revision
from apps.datasets.querysets import UploadQuerySet


class Upload(Entity):
    """Files on their way into a dataset. They lie in a folder of their own until they are published or given up."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="uploads", verbose_name=_("dataset"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    state = models.CharField(_("state"), max_length=12, choices=UploadState.choices, default=UploadState.RECEIVING)
    file_count = models.PositiveIntegerField(_("files"), default=0)
    byte_count = models.PositiveBigIntegerField(_("bytes"), default=0)
    # Some errors count as warnings, and the rows concerned are left out or mended.
    lenient = models.BooleanField(_("lenient"), default=False)
    mode = models.CharField(_("mode"), max_length=10, choices=PublishMode.choices, default=PublishMode.ADD)
    note = models.CharField(_("note"), max_length=300, blank=True)
    # Of the step that a worker is at: {"done", "total", "bytes"}.
    progress = models.JSONField(_("progress"), default=dict, blank=True)
    # `Analysis.as_dict()`, {} before the first.
    analysis = models.JSONField(_("analysis"), default=dict, blank=True)
    # Other names for its classes, from its publication: {"cat": "animal", "dog": null}; null leaves the class out.
    class_map = models.JSONField(_("classes renamed"), default=dict, blank=True)
    # Why it failed: {"code", "params"}.
    failure = models.JSONField(_("why it failed"), default=dict, blank=True)
    # Who asked for the publication, the actor of the worker that does it.
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    revision = models.ForeignKey(
        Revision, on_delete=models.SET_NULL, null=True, blank=True, related_name="uploads", verbose_name=_("revision")
    )
    # Its folder, and what it left in the store, are gone.
    swept_at = models.DateTimeField(_("files removed"), null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [
            models.Index(fields=["updated_at"], condition=models.Q(swept_at__isnull=True), name="upload_to_sweep")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} · {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def organization_id(self) -> Any:
        return self.dataset.organization_id

    @property
    def project_id(self) -> Any:
        return self.dataset.project_id

    @property
    def state_color(self) -> str:
        return UPLOAD_COLORS[UploadState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.state in BUSY_UPLOADS

    @property
    def known_analysis(self) -> dict[str, Any]:
        """The analysis; an empty one before the first."""
        return self.analysis or Analysis().as_dict()
