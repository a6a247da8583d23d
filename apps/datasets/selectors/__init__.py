"""Reads that pages, programs and the apps above need."""

from apps.datasets.selectors.direct import direct_origin
from apps.datasets.selectors.filtering import ImageFilter
from apps.datasets.selectors.images import (
    class_counts,
    class_rows,
    classes_of,
    counted,
    covers_of,
    head_of,
    image_of,
    images_of,
    open_blob,
    preview_of,
    tags_of,
    tags_on,
    thumbnail_of,
    uploaders_of,
)
from apps.datasets.selectors.snapshots import manifest_lines, snapshot_entries, snapshot_has_blob
from apps.datasets.selectors.splits import SplitView, split_in_force, splits_of
from apps.datasets.selectors.usage import (
    UsageQuery,
    Use,
    datasets_for_choice,
    most_used,
    needing,
    register_usage,
    stored_bytes,
    usage_of,
    use_counts,
    uses_by_day,
)

__all__ = [
    "ImageFilter",
    "SplitView",
    "UsageQuery",
    "Use",
    "class_counts",
    "class_rows",
    "classes_of",
    "counted",
    "covers_of",
    "datasets_for_choice",
    "direct_origin",
    "head_of",
    "image_of",
    "images_of",
    "manifest_lines",
    "most_used",
    "needing",
    "open_blob",
    "preview_of",
    "register_usage",
    "snapshot_entries",
    "snapshot_has_blob",
    "split_in_force",
    "splits_of",
    "stored_bytes",
    "tags_of",
    "tags_on",
    "thumbnail_of",
    "uploaders_of",
    "usage_of",
    "use_counts",
    "uses_by_day",
]
