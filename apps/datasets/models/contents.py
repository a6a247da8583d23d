"""What lies in a dataset: files, their labels, and when they were there."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Greatest, Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.datasets.models.choices import SIDES, Damage, Split
from apps.datasets.models.datasets import Dataset
from apps.datasets.querysets import EntryQuerySet, ItemQuerySet

#: The name of a path's file, small letters for capital ones (of ASCII: what is stored is compared byte by byte).
FILE_NAME = Lower(models.Func(models.F("path"), template="substring(%(expressions)s FROM '[^/]*$')"))
#: Which of `SIDES` the longer side is in, counted from 0: one value for each, so that an index keeps the order of pages.
SIZE_NUMBER = models.Func(
    models.F("side"),
    template=f"width_bucket(%(expressions)s, ARRAY{[least for least, _most in SIDES.values() if least]})",
    output_field=models.IntegerField(),
)
OPEN_IMAGES = models.Q(to_revision__isnull=True, is_image=True)


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
    # What the picture looks like (`apps.datasets.images.decoding`); NULL until somebody has looked (and for other files),
    # empty where it shows too little to be told from others. The cell is what it is found by (`apps.datasets.likeness`).
    look = models.BinaryField(_("look"), null=True)
    look_cell = models.IntegerField(_("cell of the look"), null=True)
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
            models.Index(fields=["organization"], condition=models.Q(is_sound=False), name="blob_unsound"),
            models.Index(
                fields=["organization", "look_cell"], condition=models.Q(look_cell__isnull=False), name="blob_by_look"
            ),
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
        indexes = [
            models.Index(fields=["dataset", "bucket"], name="item_of_bucket"),
            # Searched by how they begin: the order by code points serves that, for paths by their own constraint.
            models.Index("dataset", FILE_NAME, name="item_file_name"),
        ]

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
    # The longer one; a column of its own, so that the planner knows how many there are of a size.
    side = models.GeneratedField(
        expression=Greatest("width", "height"),
        output_field=models.PositiveIntegerField(null=True),
        db_persist=True,
        verbose_name=_("longer side"),
    )
    # NULL: nobody has labelled the image. A document without objects says that there is nothing to see.
    annotation = models.ForeignKey(
        AnnotationDocument, on_delete=models.PROTECT, null=True, related_name="entries", verbose_name=_("labels")
    )
    class_ids = ArrayField(models.PositiveSmallIntegerField(), default=list, verbose_name=_("classes"))
    box_count = models.PositiveIntegerField(_("objects"), default=0)
    # The split that the upload named, "" for none.
    split = models.CharField(_("split"), max_length=5, blank=True, choices=Split.choices)
    # Whether the report of its upload warned of the image or of its labels.
    has_warnings = models.BooleanField(_("has warnings"), default=False, db_default=False)

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
                condition=OPEN_IMAGES,
                name="entry_open_images",
            ),
            # What pages of images are narrowed to, each in the order of the pages.
            models.Index(fields=["dataset", "split", "item"], condition=OPEN_IMAGES, name="entry_open_split"),
            models.Index(fields=["dataset", "side", "item"], condition=OPEN_IMAGES, name="entry_open_side"),
            models.Index("dataset", SIZE_NUMBER, "item", condition=OPEN_IMAGES, name="entry_open_size"),
            models.Index(fields=["dataset", "from_revision", "item"], condition=OPEN_IMAGES, name="entry_open_from"),
            models.Index(
                fields=["dataset", "item"],
                condition=OPEN_IMAGES & models.Q(has_warnings=True),
                name="entry_open_warned",
            ),
            models.Index(fields=["dataset", "from_revision"], name="entry_from"),
            models.Index(
                fields=["dataset", "to_revision"], condition=models.Q(to_revision__isnull=False), name="entry_to"
            ),
            GinIndex(fields=["class_ids"], name="entry_classes", condition=models.Q(to_revision__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}@{self.from_revision}"
