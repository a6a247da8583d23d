"""Files on their way into a dataset."""

import json
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import ciphers
from apps.core.entities import Entity
from apps.datasets.analysis import Analysis
from apps.datasets.models.choices import BUSY_UPLOADS, UPLOAD_COLORS, PublishMode, UploadSource, UploadState
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
    source = models.CharField(_("source"), max_length=10, choices=UploadSource.choices, default=UploadSource.SENT)
    # Where the files are fetched from, without secrets: {"url"} or {"endpoint", "region", "bucket", "prefix"} or
    # {"folder_id", "folder", "path"}; {} when they are sent.
    place = models.JSONField(_("place"), default=dict, blank=True)
    # Ciphertext of what only the worker needs to get there: {"url"} or {"access_key", "secret_key", "token"}. Emptied
    # when everything is fetched, or nothing will be any more.
    place_secret = models.TextField(_("secret of the place"), blank=True, editable=False)
    file_count = models.PositiveIntegerField(_("files"), default=0)
    byte_count = models.PositiveBigIntegerField(_("bytes"), default=0)
    # Some errors count as warnings, and the rows concerned are left out or mended.
    lenient = models.BooleanField(_("lenient"), default=False)
    # One that another library reads (`apps.datasets.foreign`), as it was asked for; "" has it told by the portal.
    format = models.CharField(_("format"), max_length=60, blank=True)
    mode = models.CharField(_("mode"), max_length=10, choices=PublishMode.choices, default=PublishMode.ADD)
    note = models.CharField(_("note"), max_length=300, blank=True)
    # Of the step that a worker is at: {"done", "total", "bytes"}.
    progress = models.JSONField(_("progress"), default=dict, blank=True)
    # `Analysis.as_dict()`, {} before the first.
    analysis = models.JSONField(_("analysis"), default=dict, blank=True)
    # Dataset → how many of its pictures that one has too, of every other of the organization: whoever reads it is told
    # of those that they see.
    elsewhere = models.JSONField(_("pictures of other datasets"), default=dict, blank=True)
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
        constraints = [
            models.CheckConstraint(
                condition=models.Q(place_secret="") | models.Q(state=UploadState.FETCHING),
                name="upload_secret_while_fetching",
                violation_error_message=_("Keys are kept only while files are fetched."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.dataset} · {self.created_at:%Y-%m-%d %H:%M} UTC"

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
    def place_text(self) -> str:
        """Where the files come from, in one line; "" when they were sent."""
        place = self.place
        if self.source == UploadSource.ADDRESS:
            return str(place["url"])
        if self.source == UploadSource.BUCKET:
            return f"s3://{place['bucket']}/{place['prefix']}"
        if self.source == UploadSource.FOLDER:
            return f"{place['folder']}/{place['path']}".rstrip("/")
        return ""

    def seal(self, secret: dict[str, str]) -> str:
        """The ciphertext of a secret, for this row alone."""
        return ciphers.encrypt(json.dumps(secret), f"upload:{self.pk}")

    @property
    def secret(self) -> dict[str, str]:
        """{} when there is none, or it is forgotten."""
        return json.loads(ciphers.decrypt(self.place_secret, f"upload:{self.pk}")) if self.place_secret else {}

    @property
    def known_analysis(self) -> dict[str, Any]:
        """The analysis; an empty one before the first. What earlier versions did not look for was not found."""
        return {**Analysis().as_dict(), **self.analysis}
