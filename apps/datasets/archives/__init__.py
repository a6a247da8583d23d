"""Taking in sets of files: ZIP, TAR and TAR.GZ archives, folders, and uploaded (path, stream) pairs.

Whatever the door, the result is the same: a staging folder that holds plain files only, under checked relative
paths, each with its size and sha256. `unpack`, `take_in` and `walk` raise `BadInput` and leave nothing behind.
"""

from apps.datasets.archives.extraction import archive_kind, take_in, unpack, walk
from apps.datasets.archives.limits import Limits
from apps.datasets.archives.paths import PathRules
from apps.datasets.archives.staging import Member, Staged

__all__ = ["Limits", "Member", "PathRules", "Staged", "archive_kind", "take_in", "unpack", "walk"]
