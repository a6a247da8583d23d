"""Large objects sent to an S3 store by whoever has them: in parts, each by an address that is signed for it alone.

An address writes one part of one object, of exactly the length that was signed, for at most a quarter of an hour. What
was sent is no object before `finish` joins the parts; from then on no address writes any more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

#: The longest that an address works.
URL_SECONDS = 900
#: Answers of a store that knows no such upload in parts, or none any more.
UNKNOWN = frozenset({"NoSuchUpload", "NoSuchKey", "404", "NotFound"})
#: Answers of a store that will not join the parts as they are.
UNFIT = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall"})


class PartsUnknown(Exception):
    """The store knows no such upload in parts: it was joined, given up, or removed by age."""


class PartsUnfit(Exception):
    """The store does not join these parts: one was sent anew meanwhile."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has arrived; `tag` is the store's word for its content, needed to join it."""

    size: int
    tag: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Parts that were not joined; `began_at` is in seconds since 1970."""

    key: str
    upload: str
    began_at: float


class DirectUploads:
    """Of one bucket. `client` is how the portal reaches the store, `signer` how everybody else does."""

    def __init__(self, client: Any, signer: Any, bucket: str) -> None:
        self.client = client
        self.signer = signer
        self.bucket = bucket

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port of the addresses, for a page that is to send to them."""
        parts = urlsplit(self.url("k", "u", 1, 1))
        return f"{parts.scheme}://{parts.netloc}"

    def begin(self, key: str) -> str:
        """Opens an upload in parts for an object, and returns the store's name for it."""
        return str(self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"])

    def url(self, key: str, upload: str, number: int, size: int, *, md5: str = "", seconds: int = URL_SECONDS) -> str:
        """The address for one part: by PUT, `size` bytes and no other number, and with `md5` (as base64, to be sent as
        `Content-MD5`) of that content alone."""
        wanted = {"UploadId": upload, "PartNumber": number, "ContentLength": size}
        if md5:
            wanted["ContentMD5"] = md5
        return str(
            self.signer.generate_presigned_url(
                "upload_part",
                Params={"Bucket": self.bucket, "Key": key, **wanted},
                ExpiresIn=min(seconds, URL_SECONDS),
                HttpMethod="PUT",
            )
        )

    def parts(self, key: str, upload: str) -> dict[int, Part]:
        """Those that have arrived, by number. Raises `PartsUnknown`."""
        found = {}
        try:
            for page in self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload):
                for part in page.get("Parts", ()):
                    found[int(part["PartNumber"])] = Part(int(part["Size"]), part["ETag"])
        except self.client.exceptions.ClientError as error:
            raise _known_error(error) from error
        return found

    def finish(self, key: str, upload: str, parts: Mapping[int, Part]) -> None:
        """Joins the parts. Raises `PartsUnknown` or `PartsUnfit`."""
        listed = [{"PartNumber": number, "ETag": part.tag} for number, part in sorted(parts.items())]
        try:
            self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}
            )
        except self.client.exceptions.ClientError as error:
            raise _known_error(error) from error

    def abort(self, key: str, upload: str) -> None:
        """Removes the parts; one that is unknown is no error."""
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
        except self.client.exceptions.ClientError as error:
            if not isinstance(_known_error(error), PartsUnknown):
                raise

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Uploads in parts under a prefix that were neither joined nor given up."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
        try:
            for page in pages:
                for row in page.get("Uploads", ()):
                    yield Unfinished(row["Key"], row["UploadId"], row["Initiated"].timestamp())
        except self.client.exceptions.ClientError as error:
            # Some stores say so of a bucket that never had one.
            if not isinstance(_known_error(error), PartsUnknown):
                raise


def _known_error(error: Any) -> Exception:
    """What a store's error means here, or the error itself."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in UNKNOWN:
        return PartsUnknown(code)
    found: Exception = PartsUnfit(code) if code in UNFIT else error
    return found
