"""Versions written into archives, on their way out."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.models.choices import (
    ACTIVE_EXPORTS,
    EXPORT_COLORS,
    EXPORT_FAILURES,
    ExportFormat,
    ExportState,
    Task,
)
from apps.datasets.models.datasets import Dataset
from apps.datasets.models.splits import SplitPlan
from apps.datasets.models.versions import Revision
from apps.datasets.querysets import ExportQuerySet


class Export(Entity):
    """A version of a dataset in one format, as one ZIP in the object store, for some days."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="exports", verbose_name=_("dataset"))
    revision = models.ForeignKey(
        Revision, on_delete=models.CASCADE, related_name="exports", verbose_name=_("revision")
    )
    # What it was asked for by; the content may have other names.
    version_name = models.CharField(_("version name"), max_length=60)
    format = models.CharField(_("format"), max_length=20, choices=ExportFormat.choices)
    # What the labels are written for; "" where the files stay as they came.
    task = models.CharField(_("task"), max_length=20, choices=Task.choices, blank=True)
    # How images are divided in it; NULL where the files stay as they came.
    split_plan = models.ForeignKey(
        SplitPlan, on_delete=models.PROTECT, null=True, blank=True, related_name="exports", verbose_name=_("split")
    )
    # Items of the images that were chosen, as they are in the revision; NULL: all that it holds. Some thousand numbers,
    # which lists leave unread.
    chosen = ArrayField(
        models.BigIntegerField(), null=True, blank=True, editable=False, verbose_name=_("chosen images")
    )
    # A column of its own, so that lists tell how many without reading which.
    chosen_count = models.GeneratedField(
        expression=models.Func("chosen", function="cardinality"),
        output_field=models.PositiveIntegerField(null=True),
        db_persist=True,
        verbose_name=_("chosen images"),
    )
    # Damaged files are left out rather than that it fails.
    partial = models.BooleanField(_("without damaged files"), default=False)
    # Digest of all that the archive follows from: what has it again is the same archive.
    content = models.CharField(_("content"), max_length=64, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    state = models.CharField(_("state"), max_length=10, choices=ExportState.choices, default=ExportState.WAITING)
    # How many workers have begun it: one that dies is followed by another, a few times.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    # Of the step at hand: {"step": "labels" | "archive", "done", "total"}, in images and in bytes.
    progress = models.JSONField(_("progress"), default=dict, blank=True)
    image_count = models.PositiveIntegerField(_("images"), default=0)
    object_count = models.PositiveBigIntegerField(_("objects"), default=0)
    file_count = models.PositiveIntegerField(_("files"), default=0)
    left_out_count = models.PositiveIntegerField(_("damaged files left out"), default=0)
    # What the format could not hold: [{"code", "count", "path"}].
    losses = models.JSONField(_("losses"), default=list, blank=True)
    byte_count = models.PositiveBigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    failure = models.CharField(_("why it failed"), max_length=20, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export of a dataset")
        verbose_name_plural = _("exports of datasets")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "content"],
                condition=models.Q(state__in=["waiting", "running", "ready"]),
                name="export_content_unique",
                violation_error_message=_("This export is there already."),
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | models.Q(expires_at__isnull=False), name="export_ready_expires"
            ),
            models.CheckConstraint(
                condition=models.Q(chosen__isnull=True) | models.Q(chosen_count__gt=0),
                name="export_chosen_some",
                violation_error_message=_("No image is chosen."),
            ),
        ]
        indexes = [
            models.Index(fields=["dataset", "-id"], name="export_of_dataset"),
            models.Index(fields=["state"], condition=models.Q(state__in=["waiting", "running"]), name="export_active"),
            models.Index(fields=["expires_at"], condition=models.Q(state="ready"), name="export_to_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.version_name} · {self.get_format_display()}"

    @property
    def organization_id(self) -> Any:
        return self.dataset.organization_id

    @property
    def project_id(self) -> Any:
        return self.dataset.project_id

    @property
    def version_image_count(self) -> int:
        """How many images its version holds: of as many were some chosen."""
        return int(self.revision.counts["images"])

    @property
    def is_there(self) -> bool:
        """Whether it can be downloaded now; beat removes it a little after its end."""
        return self.state == ExportState.READY and self.expires_at is not None and self.expires_at > timezone.now()

    @property
    def fraction(self) -> float | None:
        """How much of the step at hand is done."""
        total = self.progress.get("total")
        return self.progress["done"] / total if total else None

    @property
    def failure_text(self) -> Any:
        return EXPORT_FAILURES.get(self.failure, "")

    @property
    def state_color(self) -> str:
        return EXPORT_COLORS[ExportState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.state in ACTIVE_EXPORTS
