"""Places that the files of an upload are fetched from: a web address, an S3 bucket, a folder of the server, and
the portal's own store, where senders may have put them.

A source lists what is there and brings one file at a time. It knows neither uploads nor datasets; what the paths may be,
how much there may be and who may ask is the service's business (`apps.datasets.services.importing`).
"""

from apps.datasets.sources.address import AddressSource
from apps.datasets.sources.base import Found, Source, SourceError
from apps.datasets.sources.bucket import BucketSource
from apps.datasets.sources.direct import DirectSource, SentFile
from apps.datasets.sources.folder import FolderSource, checked_root, entries_of
from apps.datasets.sources.words import failure_words

__all__ = [
    "AddressSource",
    "BucketSource",
    "DirectSource",
    "FolderSource",
    "Found",
    "SentFile",
    "Source",
    "SourceError",
    "checked_root",
    "entries_of",
    "failure_words",
]
