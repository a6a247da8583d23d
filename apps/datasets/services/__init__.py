"""Writes on datasets. Each authorises (the decorator), locks and checks, changes, and audits, in this order."""

from apps.datasets.selectors.choosing import ImageChoice
from apps.datasets.services.datasets import dataset_change, dataset_create, dataset_restore, dataset_trash
from apps.datasets.services.downloads import dataset_download
from apps.datasets.services.exports import export_ask, export_cancel, export_delete, export_download, export_link
from apps.datasets.services.images import images_delete, images_move, images_tag, images_untag
from apps.datasets.services.importing import (
    ImportFrom,
    from_address,
    from_bucket,
    from_folder,
    upload_fetch,
    upload_import,
)
from apps.datasets.services.integrity import integrity_check
from apps.datasets.services.known import MOST_KNOWN, upload_take_known
from apps.datasets.services.parts import (
    MOST_BYTES,
    MOST_PARTS,
    PART_BYTES,
    begun_files,
    part_receive,
    parts_join,
    parts_received,
)
from apps.datasets.services.publishing import dataset_publish, upload_publish, upload_store
from apps.datasets.services.purging import dataset_purge
from apps.datasets.services.reading import analyse_archive, upload_analyse, upload_read
from apps.datasets.services.refusals import as_domain_error
from apps.datasets.services.releasing import dataset_withdraw, version_release
from apps.datasets.services.server_folders import (
    folder_entries,
    server_folder_allow,
    server_folder_change,
    server_folder_forbid,
)
from apps.datasets.services.snapshots import (
    snapshot_create,
    snapshot_delete,
    snapshot_for_training,
    version_for_training,
    version_require_sound,
)
from apps.datasets.services.splits import checked_split, split_remove, split_set
from apps.datasets.services.sweeping import sweep
from apps.datasets.services.uploads import received_files, upload_cancel, upload_create, upload_receive
from apps.datasets.services.versions import version_restore

__all__ = [
    "MOST_BYTES",
    "MOST_KNOWN",
    "MOST_PARTS",
    "PART_BYTES",
    "ImageChoice",
    "ImportFrom",
    "analyse_archive",
    "as_domain_error",
    "begun_files",
    "checked_split",
    "dataset_change",
    "dataset_create",
    "dataset_download",
    "dataset_publish",
    "dataset_purge",
    "dataset_restore",
    "dataset_trash",
    "dataset_withdraw",
    "export_ask",
    "export_cancel",
    "export_delete",
    "export_download",
    "export_link",
    "folder_entries",
    "from_address",
    "from_bucket",
    "from_folder",
    "images_delete",
    "images_move",
    "images_tag",
    "images_untag",
    "integrity_check",
    "part_receive",
    "parts_join",
    "parts_received",
    "received_files",
    "server_folder_allow",
    "server_folder_change",
    "server_folder_forbid",
    "snapshot_create",
    "snapshot_delete",
    "snapshot_for_training",
    "split_remove",
    "split_set",
    "sweep",
    "upload_analyse",
    "upload_cancel",
    "upload_create",
    "upload_fetch",
    "upload_import",
    "upload_publish",
    "upload_read",
    "upload_receive",
    "upload_store",
    "upload_take_known",
    "version_for_training",
    "version_release",
    "version_require_sound",
    "version_restore",
]
