"""The S3 dialects, told apart by the endpoint: how a bucket is addressed, and what a client must not ask for."""

from dataclasses import dataclass
from urllib.parse import urlsplit

GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Provider:
    """`copy_bytes` is the largest object that one request copies; larger ones are copied in parts."""

    name: str
    addressing: str
    region: str
    checksums: str
    copy_bytes: int


AMAZON = Provider("Amazon S3", "virtual", "us-east-1", "when_supported", 5 * GIBIBYTE)
R2 = Provider("Cloudflare R2", "path", "auto", "when_required", 5 * GIBIBYTE)
# It copies any object in one request, and knows no copies of parts.
GOOGLE = Provider("Google Cloud Storage", "path", "auto", "when_required", 5 * 1024 * GIBIBYTE)
# MinIO, Ceph, rclone and others.
OTHER = Provider("S3-compatible store", "path", "us-east-1", "when_required", 5 * GIBIBYTE)


def provider_of(endpoint: str) -> Provider:
    """Whose store answers at the endpoint; Amazon's without one."""
    host = (urlsplit(endpoint).hostname or "").lower()
    if not host or host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return AMAZON
    if host.endswith(".r2.cloudflarestorage.com"):
        return R2
    if host == "storage.googleapis.com" or host.endswith(".storage.googleapis.com"):
        return GOOGLE
    return OTHER


def addressing_of(provider: Provider, bucket: str, asked: str) -> str:
    """`path` or `virtual`. A dot in the bucket's name would not fit the certificate of a host made of it."""
    if asked != "auto":
        return asked
    return "path" if "." in bucket else provider.addressing
