"""Objects by key in a local folder or an S3 bucket, behind one interface; results may lie apart from datasets.

Sizes and digests are kept in the database by the callers; nothing here relies on ETags, tags or metadata.
"""

from apps.core.storage.base import ObjectNotFound, Storage, Stored, StoredObject
from apps.core.storage.direct import DirectUploads, Part, PartsUnfit, PartsUnknown
from apps.core.storage.pieces import Pieces
from apps.core.storage.registry import DATASETS, RESULTS, results, storage, stores

__all__ = [
    "DATASETS",
    "RESULTS",
    "DirectUploads",
    "ObjectNotFound",
    "Part",
    "PartsUnfit",
    "PartsUnknown",
    "Pieces",
    "Storage",
    "Stored",
    "StoredObject",
    "results",
    "storage",
    "stores",
]
