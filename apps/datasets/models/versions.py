"""Published states of a dataset, and those that are fixed."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.models.datasets import Dataset
from apps.datasets.models.splits import SplitPlan
from apps.datasets.querysets import SnapshotQuerySet

TAG = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", _("Letters, digits, point, dash and underscore only."))


class Revision(Entity):
    """One published state of a dataset."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="revisions", verbose_name=_("dataset"))
    no = models.PositiveIntegerField(_("number"))
    # [{"id": 0, "name": "circle", "color"?, "keypoints"?, "skeleton"?}], ids from 0 without gaps; they keep their
    # meaning while uploads are added.
    classes = models.JSONField(_("classes"), default=list)
    # {"images", "labelled", "boxes", "files", "bytes", "added", "changed", "removed"}
    counts = models.JSONField(_("counts"), default=dict)
    # Of the bucket hashes; "" until a snapshot first needs it.
    root_hash = models.CharField(_("root hash"), max_length=64, blank=True)
    # What looks alike: {"compared": pictures, "groups": [[item, …], …]}; NULL until a worker has compared them.
    alike = models.JSONField(_("what looks alike"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    # The revision whose content this one has again.
    restored_from = models.PositiveIntegerField(_("restored from"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering: ClassVar[list[str]] = ["-no"]
        constraints = [models.UniqueConstraint(fields=["dataset", "no"], name="dataset_revision_unique")]

    def __str__(self) -> str:
        return f"r{self.no}"


class BucketHash(models.Model):
    """Digest of the items of one bucket as they were at `revision_no`."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name=_("dataset")
    )
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    revision_no = models.PositiveIntegerField(_("revision"))
    digest = models.CharField(_("digest"), max_length=64)

    class Meta:
        verbose_name = _("bucket hash")
        verbose_name_plural = _("bucket hashes")
        constraints = [models.UniqueConstraint(fields=["dataset", "bucket"], name="bucket_hash_unique")]

    def __str__(self) -> str:
        return f"{self.bucket:02x}"


class Snapshot(Entity):
    """A revision with its root hash and its split plan, fixed: what a training learns from."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="snapshots", verbose_name=_("dataset"))
    revision = models.ForeignKey(
        Revision, on_delete=models.PROTECT, related_name="snapshots", verbose_name=_("revision")
    )
    split_plan = models.ForeignKey(
        SplitPlan, on_delete=models.PROTECT, related_name="snapshots", verbose_name=_("split")
    )
    split_digest = models.CharField(_("digest of the split"), max_length=64)
    root_hash = models.CharField(_("root hash"), max_length=64)
    # Grows by one within the dataset; the tag is v<no> unless one is given.
    no = models.PositiveIntegerField(_("number"))
    tag = models.CharField(_("tag"), max_length=60, validators=[TAG])
    note = models.CharField(_("note"), max_length=300, blank=True)
    # Labelled images by split, as a training gets them: {"train", "val", "test"}, and "images", "boxes", "bytes".
    counts = models.JSONField(_("counts"), default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "root_hash", "split_digest"], name="snapshot_content_unique"),
            models.UniqueConstraint(fields=["dataset", "no"], name="snapshot_no_unique"),
            models.UniqueConstraint(
                fields=["dataset", "tag"],
                name="snapshot_tag_unique",
                violation_error_message=_("The dataset has a snapshot of this tag."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.tag}"

    @property
    def organization_id(self) -> Any:
        return self.dataset.organization_id

    @property
    def project_id(self) -> Any:
        return self.dataset.project_id
