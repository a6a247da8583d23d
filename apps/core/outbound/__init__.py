"""The one way out: HTTP requests to addresses that people name (providers of single sign-on, receivers of hooks, places
that files are fetched from).

A host is resolved once, each of its addresses is checked, and the connection goes to a checked one. `https` only, no
redirects, bounded in size and time, no proxies and no credentials of this machine. Origins in private networks are
called when the operator names them (`OUTBOUND_PRIVATE_ORIGINS`).

A `session` holds answers in memory; `download` brings a file of any size, goes on after a break, and follows a few
redirects, each of which is checked like the first address. `Bucket` reads an S3 bucket of somebody else's by the same
rules.
"""

from apps.core.outbound.buckets import BUCKET_CODES, Bucket, BucketError, Listed
from apps.core.outbound.client import OutboundSession, session
from apps.core.outbound.downloads import download
from apps.core.outbound.errors import CODES, DOWNLOAD_CODES, OutboundError
from apps.core.outbound.origins import Origin, origin_of

__all__ = [
    "BUCKET_CODES",
    "CODES",
    "DOWNLOAD_CODES",
    "Bucket",
    "BucketError",
    "Listed",
    "Origin",
    "OutboundError",
    "OutboundSession",
    "download",
    "origin_of",
    "session",
]
