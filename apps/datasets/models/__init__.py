"""Datasets: what they hold, revision by revision, and how uploads, splits and snapshots refer to it.

Rows that exist once per file (`Blob`, `AnnotationDocument`, `Item`, `Entry`, `SplitRow`) have bigint keys and are
written set-based; an entry is the interval of revisions over which an item had one content, so that a revision costs
rows for what changed only.
"""

from apps.datasets.models.choices import (
    ACTIVE_CHECKS,
    ACTIVE_EXPORTS,
    BUSY_UPLOADS,
    CHECK_COLORS,
    ENDED_UPLOADS,
    IMPORT_SOURCES,
    KEPT_EXPORTS,
    LICENCES,
    MOST_TAGS,
    OWN_VISIBILITIES,
    SIDES,
    TAG_CHARACTERS,
    UPLOAD_COLORS,
    CheckState,
    Damage,
    ExportFormat,
    ExportState,
    ImageDefect,
    People,
    PictureSize,
    PublishMode,
    Split,
    SplitLevel,
    SplitMethod,
    Task,
    UploadSource,
    UploadState,
    Visibility,
)
from apps.datasets.models.contents import FILE_NAME, SIZE_NUMBER, AnnotationDocument, Blob, Entry, Item
from apps.datasets.models.datasets import Dataset, DatasetGroupShare, DatasetUserShare
from apps.datasets.models.direct import DirectFile
from apps.datasets.models.exports import Export
from apps.datasets.models.integrity import IntegrityCheck
from apps.datasets.models.server_folders import ServerFolder
from apps.datasets.models.splits import SplitGroup, SplitPlan, SplitRow
from apps.datasets.models.statistics import VersionStatistics
from apps.datasets.models.tags import ImageTag, TaggedImage
from apps.datasets.models.uploads import Upload
from apps.datasets.models.versions import TAG, BucketHash, Revision, Snapshot

__all__ = [
    "ACTIVE_CHECKS",
    "ACTIVE_EXPORTS",
    "BUSY_UPLOADS",
    "CHECK_COLORS",
    "ENDED_UPLOADS",
    "FILE_NAME",
    "IMPORT_SOURCES",
    "KEPT_EXPORTS",
    "LICENCES",
    "MOST_TAGS",
    "OWN_VISIBILITIES",
    "SIDES",
    "SIZE_NUMBER",
    "TAG",
    "TAG_CHARACTERS",
    "UPLOAD_COLORS",
    "AnnotationDocument",
    "Blob",
    "BucketHash",
    "CheckState",
    "Damage",
    "Dataset",
    "DatasetGroupShare",
    "DatasetUserShare",
    "DirectFile",
    "Entry",
    "Export",
    "ExportFormat",
    "ExportState",
    "ImageDefect",
    "ImageTag",
    "IntegrityCheck",
    "Item",
    "People",
    "PictureSize",
    "PublishMode",
    "Revision",
    "ServerFolder",
    "Snapshot",
    "Split",
    "SplitGroup",
    "SplitLevel",
    "SplitMethod",
    "SplitPlan",
    "SplitRow",
    "TaggedImage",
    "Task",
    "Upload",
    "UploadSource",
    "UploadState",
    "VersionStatistics",
    "Visibility",
]
