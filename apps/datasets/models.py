"""Datasets: what they hold, revision by revision, and how uploads, splits and snapshots refer to it.

Rows that exist once per file (`Blob`, `AnnotationDocument`, `Item`, `Entry`, `SplitRow`) have bigint keys and are
written set-based; an entry is the interval of revisions over which an item had one content, so that a revision costs
rows for what changed only.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity, Trashable
from apps.datasets.analysis import Analysis
from apps.datasets.querysets import (
    DatasetQuerySet,
    EntryQuerySet,
    IntegrityCheckQuerySet,
    ItemQuerySet,
    SnapshotQuerySet,
    UploadQuerySet,
)
from apps.shares.models import GroupShare, UserShare

TAG = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", _("Letters, digits, point, dash and underscore only."))


class Visibility(models.TextChoices):
    """Who sees a dataset, besides the owners of its project."""

    PRIVATE = "private", _("Only me")
    PROJECT = "project", _("The project")
    ORGANIZATION = "organization", _("The organization")


class Task(models.TextChoices):
    """What the labels are for."""

    DETECT = "detect", _("Object detection")
    SEGMENT = "segment", _("Segmentation")
    POSE = "pose", _("Keypoints")
    OBB = "obb", _("Oriented boxes")
    CLASSIFY = "classify", _("Image classification")


class Split(models.TextChoices):
    TRAIN = "train", _("Training")
    VAL = "val", _("Validation")
    TEST = "test", _("Test")


class UploadState(models.TextChoices):
    RECEIVING = "receiving", _("Receiving")  # files may be sent
    ANALYSING = "analysing", _("Analysing")  # files are complete, a worker reads them
    READY = "ready", _("Ready")  # no errors: may be published
    REFUSED = "refused", _("Refused")  # has errors; a lenient analysis may still accept it
    PUBLISHING = "publishing", _("Publishing")  # a worker stores it
    PUBLISHED = "published", _("Published")  # is a revision of the dataset
    FAILED = "failed", _("Failed")  # the portal could not do its part; the reason is stored
    CANCELLED = "cancelled", _("Cancelled")  # given up by a person or by age


#: States in which a worker has, or will have, its hands on the files.
BUSY_UPLOADS = (UploadState.ANALYSING, UploadState.PUBLISHING)
#: States that nothing leaves.
ENDED_UPLOADS = (UploadState.PUBLISHED, UploadState.FAILED, UploadState.CANCELLED)
UPLOAD_COLORS = {
    UploadState.RECEIVING: "azure",
    UploadState.ANALYSING: "blue",
    UploadState.READY: "teal",
    UploadState.REFUSED: "red",
    UploadState.PUBLISHING: "blue",
    UploadState.PUBLISHED: "green",
    UploadState.FAILED: "orange",
    UploadState.CANCELLED: "secondary",
}


class PublishMode(models.TextChoices):
    """What a publication does to files that the upload does not name."""

    ADD = "add", _("Keep what is there, add and replace files")
    REPLACE = "replace", _("Replace everything")


class SplitMethod(models.TextChoices):
    UPLOADED = "uploaded", _("As uploaded")  # every entry carries the split that its upload named
    AUTO = "auto", _("Automatic")  # hash(seed, path) against the ratios
    STRATIFIED = "stratified", _("Stratified by class")  # rows; images that came later by hash(seed, path)
    GROUPED = "grouped", _("Grouped")  # groups of paths; groups that came later by hash(seed, group)
    MANUAL = "manual", _("By hand")  # rows


class SplitLevel(models.TextChoices):
    """Which plan counts: the job's before the dataset's before the default."""

    JOB = "job", _("Job")
    DATASET = "dataset", _("Dataset")
    DEFAULT = "default", _("Default")


class Damage(models.TextChoices):
    """What is wrong with a file in the store: it is in quarantine until the same content comes again."""

    MISSING = "missing", _("Missing")  # the store has no such object
    CHANGED = "changed", _("Damaged")  # its bytes are not those of its digest


class CheckState(models.TextChoices):
    WAITING = "waiting", _("Waiting")  # a worker will begin
    RUNNING = "running", _("Running")  # a worker reads file after file
    DONE = "done", _("Done")  # every file was read
    FAILED = "failed", _("Failed")  # the store did not answer; what was read until then counts


ACTIVE_CHECKS = (CheckState.WAITING, CheckState.RUNNING)
CHECK_COLORS = {
    CheckState.WAITING: "azure",
    CheckState.RUNNING: "blue",
    CheckState.DONE: "green",
    CheckState.FAILED: "orange",
}


class Dataset(Entity, Trashable):
    """A named set of files with labels, in revisions. The counters are those of the newest revision."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="datasets", verbose_name=_("organization")
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.CASCADE, related_name="datasets", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    description = models.TextField(_("description"), max_length=4000, blank=True)
    task = models.CharField(_("task"), max_length=20, choices=Task.choices, default=Task.DETECT)
    visibility = models.CharField(
        _("visibility"), max_length=20, choices=Visibility.choices, default=Visibility.PROJECT
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    # 0: nothing was published yet.
    revision_no = models.PositiveIntegerField(_("revision"), default=0, editable=False)
    image_count = models.PositiveIntegerField(_("images"), default=0, editable=False)
    labelled_count = models.PositiveIntegerField(_("labelled images"), default=0, editable=False)
    box_count = models.PositiveBigIntegerField(_("objects"), default=0, editable=False)
    file_count = models.PositiveIntegerField(_("files"), default=0, editable=False)
    byte_count = models.PositiveBigIntegerField(_("bytes"), default=0, editable=False)
    # The plan of the dataset's level; without one the default counts.
    split_plan = models.ForeignKey(
        "datasets.SplitPlan",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("split"),
    )

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        ordering: ClassVar[list[str]] = ["-id"]
        # Levels of a share beside Django's own view and change.
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("use_dataset", "Can use dataset"),
            ("manage_dataset", "Can manage dataset"),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "organization",
                condition=models.Q(deleted_at__isnull=True),
                name="dataset_name_unique",
                violation_error_message=_("The organization has a dataset of this name."),
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="dataset_of_organization"),
            models.Index(fields=["project", "-id"], name="dataset_of_project"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:detail", args=[self.pk])


class DatasetUserShare(UserShare):
    content_object = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="user_shares", verbose_name=_("dataset")
    )

    class Meta:
        verbose_name = _("share of a dataset with a person")
        verbose_name_plural = _("shares of datasets with people")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "content_object"],
                name="dataset_user_share_unique",
                violation_error_message=_("It is shared with this person already."),
            )
        ]


class DatasetGroupShare(GroupShare):
    content_object = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="group_shares", verbose_name=_("dataset")
    )

    class Meta:
        verbose_name = _("share of a dataset with a project")
        verbose_name_plural = _("shares of datasets with projects")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "content_object"],
                name="dataset_group_share_unique",
                violation_error_message=_("It is shared with this project already."),
            )
        ]


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


class Blob(models.Model):
    """Bytes in the store, addressed by their digest within one organization; byte-exact as uploaded."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="+", verbose_name=_("organization")
    )
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.BigIntegerField(_("size"))
    media_type = models.CharField(_("media type"), max_length=60)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    # Whether the picture could be decoded completely; NULL until a worker has tried (and for other files).
    is_sound = models.BooleanField(_("sound"), null=True)
    # "" unless a check, or somebody who read it, found it damaged.
    damage = models.CharField(_("damage"), max_length=10, choices=Damage.choices, blank=True, db_default="")
    # When its bytes were last compared with the digest.
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)

    class Meta:
        verbose_name = _("blob")
        verbose_name_plural = _("blobs")
        constraints = [models.UniqueConstraint(fields=["organization", "sha256"], name="blob_unique")]
        indexes = [
            models.Index(fields=["created_at"], name="blob_by_time"),
            models.Index(fields=["organization"], condition=~models.Q(damage=""), name="blob_damaged"),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class AnnotationDocument(models.Model):
    """The immutable labels of one image, by the digest of their canonical JSON."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="+", verbose_name=_("organization")
    )
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    document = models.JSONField(_("document"))
    class_ids = ArrayField(models.PositiveSmallIntegerField(), default=list, verbose_name=_("classes"))

    class Meta:
        verbose_name = _("annotation document")
        verbose_name_plural = _("annotation documents")
        constraints = [models.UniqueConstraint(fields=["organization", "sha256"], name="annotation_document_unique")]

    def __str__(self) -> str:
        return self.sha256[:12]


class Item(models.Model):
    """A path of a dataset, whatever lies there from revision to revision."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="items", verbose_name=_("dataset"))
    # Ordered by code points, as programs order paths.
    path = models.CharField(_("path"), max_length=1024, db_collation="C")
    # First byte of sha256(path): what the root hash is divided by.
    bucket = models.PositiveSmallIntegerField(_("bucket"))

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        constraints = [models.UniqueConstraint(fields=["dataset", "path"], name="item_path_unique")]
        indexes = [models.Index(fields=["dataset", "bucket"], name="item_of_bucket")]

    def __str__(self) -> str:
        return self.path


class Entry(models.Model):
    """What an item was from one revision up to, not including, another. Open (`to_revision` NULL): what it is now."""

    id = models.BigAutoField(primary_key=True)
    # Repeated from the item, so that lists are served by one index.
    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name=_("dataset")
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="entries", verbose_name=_("item"))
    from_revision = models.PositiveIntegerField(_("from revision"))
    to_revision = models.PositiveIntegerField(_("to revision"), null=True)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="entries", verbose_name=_("blob"))
    is_image = models.BooleanField(_("image"))
    # Of the upright picture, in pixels; NULL for other files.
    width = models.PositiveIntegerField(_("width"), null=True)
    height = models.PositiveIntegerField(_("height"), null=True)
    # NULL: nobody has labelled the image. A document without objects says that there is nothing to see.
    annotation = models.ForeignKey(
        AnnotationDocument, on_delete=models.PROTECT, null=True, related_name="entries", verbose_name=_("labels")
    )
    class_ids = ArrayField(models.PositiveSmallIntegerField(), default=list, verbose_name=_("classes"))
    box_count = models.PositiveIntegerField(_("objects"), default=0)
    # The split that the upload named, "" for none.
    split = models.CharField(_("split"), max_length=5, blank=True, choices=Split.choices)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(to_revision__isnull=True), name="entry_open_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(to_revision__isnull=True) | models.Q(to_revision__gt=models.F("from_revision")),
                name="entry_interval",
            ),
            models.CheckConstraint(
                condition=models.Q(is_image=False) | models.Q(width__gt=0, height__gt=0), name="entry_image_has_size"
            ),
        ]
        indexes = [
            models.Index(
                fields=["dataset", "item"],
                condition=models.Q(to_revision__isnull=True, is_image=True),
                name="entry_open_images",
            ),
            models.Index(fields=["dataset", "from_revision"], name="entry_from"),
            models.Index(
                fields=["dataset", "to_revision"], condition=models.Q(to_revision__isnull=False), name="entry_to"
            ),
            GinIndex(fields=["class_ids"], name="entry_classes", condition=models.Q(to_revision__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}@{self.from_revision}"


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


class SplitPlan(Entity):
    """How images are divided. Immutable; a plan is a rule, or rows, so re-splitting rewrites nothing else."""

    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="split_plans", verbose_name=_("dataset")
    )
    level = models.CharField(_("level"), max_length=10, choices=SplitLevel.choices)
    method = models.CharField(_("method"), max_length=10, choices=SplitMethod.choices)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    # {"train": 0.8, "val": 0.2, "test": 0.0}; {} unless automatic.
    ratios = models.JSONField(_("ratios"), default=dict, blank=True)
    # What of a path names its group, for a grouped plan; "" is the folder.
    pattern = models.CharField(_("pattern"), max_length=200, blank=True, default="")
    # Of method, seed, ratios, pattern and rows; the level is no part of it.
    digest = models.CharField(_("digest"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("split plan")
        verbose_name_plural = _("split plans")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "level", "digest"], name="split_plan_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} ({self.get_level_display()})"


class SplitGroup(models.Model):
    """The split of one group in a grouped plan."""

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(
        SplitPlan, on_delete=models.CASCADE, related_name="groups", db_index=False, verbose_name=_("split plan")
    )
    key = models.CharField(_("group"), max_length=1024)
    split = models.CharField(_("split"), max_length=5, choices=Split.choices)

    class Meta:
        verbose_name = _("split group")
        verbose_name_plural = _("split groups")
        constraints = [models.UniqueConstraint(fields=["plan", "key"], name="split_group_unique")]

    def __str__(self) -> str:
        return self.key


class SplitRow(models.Model):
    """The split of one item in a plan made by hand, or stratified."""

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(
        SplitPlan, on_delete=models.CASCADE, related_name="rows", db_index=False, verbose_name=_("split plan")
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+", verbose_name=_("item"))
    split = models.CharField(_("split"), max_length=5, choices=Split.choices)

    class Meta:
        verbose_name = _("split row")
        verbose_name_plural = _("split rows")
        constraints = [models.UniqueConstraint(fields=["plan", "item"], name="split_row_unique")]

    def __str__(self) -> str:
        return self.split


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


class IntegrityCheck(Entity):
    """One reading of every file of a dataset, in all its revisions, against the digests."""

    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="integrity_checks", verbose_name=_("dataset")
    )
    state = models.CharField(_("state"), max_length=10, choices=CheckState.choices, default=CheckState.WAITING)
    is_scheduled = models.BooleanField(_("scheduled"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    # The same content counts once.
    file_count = models.PositiveIntegerField(_("files"), default=0)
    done_count = models.PositiveIntegerField(_("files read"), default=0)
    byte_count = models.PositiveBigIntegerField(_("bytes read"), default=0)
    missing_count = models.PositiveIntegerField(_("missing"), default=0)
    changed_count = models.PositiveIntegerField(_("damaged"), default=0)
    # Damaged when the check began, and whole now.
    repaired_count = models.PositiveIntegerField(_("repaired"), default=0)
    # The last blob that was read: a worker that takes over goes on behind it.
    position = models.BigIntegerField(_("position"), default=0, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = IntegrityCheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("integrity check")
        verbose_name_plural = _("integrity checks")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=[CheckState.WAITING, CheckState.RUNNING]),
                name="integrity_check_active_unique",
                violation_error_message=_("The dataset is being checked already."),
            )
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
        bad = self.state == CheckState.DONE and (self.missing_count or self.changed_count)
        return "red" if bad else CHECK_COLORS[CheckState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.state in ACTIVE_CHECKS
