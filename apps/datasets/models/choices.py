"""What the fields of datasets may hold."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Visibility(models.TextChoices):
    """Who sees a dataset, besides the owners of its project."""

    PRIVATE = "private", _("Only me")
    PROJECT = "project", _("The project")
    ORGANIZATION = "organization", _("The organization")
    PUBLIC = "public", _("Public")  # of this portal: readers of other organizations read the versions made public


#: What is simply said; a version is made public by an act of its own.
OWN_VISIBILITIES = (Visibility.PRIVATE, Visibility.PROJECT, Visibility.ORGANIZATION)


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
    FETCHING = "fetching", _("Fetching")  # a worker brings the files from where they lie
    ANALYSING = "analysing", _("Analysing")  # files are complete, a worker reads them
    READY = "ready", _("Ready")  # no errors: may be published
    REFUSED = "refused", _("Refused")  # has errors; a lenient analysis may still accept it
    PUBLISHING = "publishing", _("Publishing")  # a worker stores it
    PUBLISHED = "published", _("Published")  # is a revision of the dataset
    FAILED = "failed", _("Failed")  # the portal could not do its part; the reason is stored
    CANCELLED = "cancelled", _("Cancelled")  # given up by a person or by age


#: States in which a worker has, or will have, its hands on the files.
BUSY_UPLOADS = (UploadState.FETCHING, UploadState.ANALYSING, UploadState.PUBLISHING)
#: States that nothing leaves.
ENDED_UPLOADS = (UploadState.PUBLISHED, UploadState.FAILED, UploadState.CANCELLED)
UPLOAD_COLORS = {
    UploadState.RECEIVING: "azure",
    UploadState.FETCHING: "azure",
    UploadState.ANALYSING: "blue",
    UploadState.READY: "teal",
    UploadState.REFUSED: "red",
    UploadState.PUBLISHING: "blue",
    UploadState.PUBLISHED: "green",
    UploadState.FAILED: "orange",
    UploadState.CANCELLED: "secondary",
}


class UploadSource(models.TextChoices):
    """Where the files of an upload come from."""

    SENT = "sent", _("Sent")  # by a browser or a program
    DIRECT = "direct", _("Sent to the store")  # straight to the object store; a worker brings it from there
    ADDRESS = "address", _("Web address")  # fetched from an address
    BUCKET = "bucket", _("S3 bucket")  # fetched from under a prefix of a bucket
    FOLDER = "folder", _("Server folder")  # copied from a folder that the administrator allowed


#: Those that the portal fetches from.
IMPORT_SOURCES = [
    choice for choice in UploadSource.choices if choice[0] not in (UploadSource.SENT, UploadSource.DIRECT)
]


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


class ExportFormat(models.TextChoices):
    """What an export is written in: as the files came, or a format of `apps.datasets.formats.registry`."""

    NATIVE = "native", _("As it came")
    YOLO = "yolo", "YOLO"
    COCO = "coco", "COCO"
    VOC = "pascal_voc", "Pascal VOC"
    IMAGEFOLDER = "imagefolder", "ImageFolder"
    DICE = "dice", "DICE"


class ExportState(models.TextChoices):
    WAITING = "waiting", _("Waiting")  # a worker will begin
    RUNNING = "running", _("Being written")
    READY = "ready", _("Ready")  # may be downloaded until it expires
    FAILED = "failed", _("Failed")  # the reason is stored
    CANCELLED = "cancelled", _("Cancelled")  # somebody thought better of it
    EXPIRED = "expired", _("Expired")  # the archive was removed


ACTIVE_EXPORTS = (ExportState.WAITING, ExportState.RUNNING)
#: Of what is asked for once, one is being written or kept.
KEPT_EXPORTS = (*ACTIVE_EXPORTS, ExportState.READY)
EXPORT_COLORS = {
    ExportState.WAITING: "azure",
    ExportState.RUNNING: "blue",
    ExportState.READY: "green",
    ExportState.FAILED: "red",
    ExportState.CANCELLED: "secondary",
    ExportState.EXPIRED: "secondary",
}
EXPORT_FAILURES = {
    "broken": _("Something went wrong in the portal. Export it again."),
    "empty": _("No image of this version has a place in this format."),
    "file_damaged": _(
        "A file is damaged or missing in the store. Upload it again, or export without what is damaged."
    ),
    "interrupted": _("It was interrupted too often. Export it again."),
}


class PictureSize(models.TextChoices):
    """By the longer side of the upright picture, in pixels."""

    SMALL = "small", _("Small: up to 640 px")
    MEDIUM = "medium", _("Medium: 641 to 1,920 px")
    LARGE = "large", _("Large: over 1,920 px")


#: The shortest and the longest that the longer side is.
SIDES: dict[str, tuple[int | None, int | None]] = {
    PictureSize.SMALL: (None, 640),
    PictureSize.MEDIUM: (641, 1920),
    PictureSize.LARGE: (1921, None),
}


class ImageDefect(models.TextChoices):
    """What may be wrong with an image that is in a dataset."""

    WARNED = "warned", _("Warned of")  # the report of its upload has a warning of it, or of its labels
    UNSOUND = "unsound", _("Cannot be decoded")
    QUARANTINED = "quarantined", _("In quarantine")  # its file is damaged or missing in the store


class People(models.TextChoices):
    """Whether people can be recognised, and what they agreed to."""

    NONE = "none", _("Nobody can be recognised")
    AGREED = "agreed", _("Everybody who can be recognised has agreed")
    PARTLY = "partly", _("Not everybody has agreed, or not to everything")


#: Words that a dataset or an image has at most, and characters of one.
MOST_TAGS = 20
TAG_CHARACTERS = 40

#: SPDX identifiers of licences that data usually has; own words do as well.
LICENCES = (
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0"),
    *("CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "C-UDA-1.0", "ODC-By-1.0", "ODbL-1.0", "PDDL-1.0"),
    *("Apache-2.0", "MIT", "BSD-3-Clause", "GPL-3.0-only", "AGPL-3.0-only"),
)
