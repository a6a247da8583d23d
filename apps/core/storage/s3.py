"""Objects in an S3 bucket (S3, MinIO, R2, GCS through its S3 interface)."""

import tempfile
from collections.abc import Iterator
from functools import cached_property
from typing import Any, BinaryIO

from django.utils.http import content_disposition_header

from apps.core.storage.base import CHUNK, Measured, ObjectNotFound, Storage, Stored, StoredObject
from apps.core.storage.direct import DirectUploads
from apps.core.storage.providers import addressing_of, provider_of


class S3Storage(Storage):
    """Keeps to what every S3 dialect can do: put, get with range, head, list, copy, delete, multipart.

    Which dialect it is follows from the endpoint; `region`, `addressing` and `checksums` say it against that.
    """

    def __init__(
        self,
        *,
        bucket: str,
        endpoint: str,
        public_endpoint: str,
        access_key: str,
        secret_key: str,
        region: str = "",
        addressing: str = "auto",
        checksums: str = "auto",
    ) -> None:
        self.bucket = bucket
        self.endpoint = endpoint
        self.public_endpoint = public_endpoint
        self.provider = provider_of(endpoint)
        self.region = region or self.provider.region
        self.addressing = addressing_of(self.provider, bucket, addressing)
        self.checksums = self.provider.checksums if checksums == "auto" else checksums
        self.access_key = access_key
        self.secret_key = secret_key

    @cached_property
    def client(self) -> Any:
        return self._client(self.endpoint)

    @cached_property
    def public_client(self) -> Any:
        """Signs links for browsers, who may know the store by another address."""
        return self._client(self.public_endpoint or self.endpoint)

    @cached_property
    def direct(self) -> DirectUploads:
        # Senders give no checksums of the newer kind; a store that was promised them would not join the parts.
        client = self._client(self.endpoint, checksums="when_required")
        signer = self._client(self.public_endpoint or self.endpoint, checksums="when_required")
        return DirectUploads(client, signer, self.bucket)

    def put(self, key: str, stream: BinaryIO) -> Stored:
        source = Measured(stream)
        # A part must be seekable for the client to retry it; small objects stay in memory.
        with tempfile.SpooledTemporaryFile(max_size=8 * CHUNK) as spool:
            while chunk := source.read(CHUNK):
                spool.write(chunk)
            spool.seek(0)
            self.client.upload_fileobj(spool, self.bucket, key)
        return source.stored

    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        options: dict[str, Any] = {}
        if offset or length is not None:
            end = "" if length is None else str(offset + length - 1)
            options["Range"] = f"bytes={offset}-{end}"
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=key, **options)["Body"]
        except self.client.exceptions.NoSuchKey as error:
            raise ObjectNotFound(key) from error
        return body.iter_chunks(CHUNK)

    def size(self, key: str) -> int | None:
        try:
            return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except self.client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def move(self, source: str, target: str) -> None:
        if self.size(source) is None:
            raise ObjectNotFound(source)
        from boto3.s3.transfer import TransferConfig  # import here: as in `_client`

        whole = TransferConfig(multipart_threshold=self.provider.copy_bytes)
        self.client.copy({"Bucket": self.bucket, "Key": source}, self.bucket, target, Config=whole)
        self.delete(source)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield StoredObject(entry["Key"], int(entry["Size"]), entry["LastModified"].timestamp())

    def folders(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"].removeprefix(prefix).rstrip("/")

    def try_parts(self, key: str, content: bytes) -> None:
        """Sends an object in one part, and gives a second one up: what large objects need. It is removed again."""
        place = {"Bucket": self.bucket, "Key": key}
        for finish in (True, False):
            upload = {**place, "UploadId": self.client.create_multipart_upload(**place)["UploadId"]}
            try:
                tag = self.client.upload_part(**upload, PartNumber=1, Body=content)["ETag"]
                if finish:
                    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
                    self.client.complete_multipart_upload(**upload, MultipartUpload=parts)
            except Exception:
                self.client.abort_multipart_upload(**upload)
                raise
            if not finish:
                self.client.abort_multipart_upload(**upload)
        if self.size(key) != len(content):
            raise OSError("the object that was sent in parts has another length")
        self.delete(key)

    def signed_url(self, key: str, *, filename: str, media_type: str, expires_seconds: int) -> str | None:
        return self.public_client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                "ResponseContentType": media_type,
                "ResponseContentDisposition": content_disposition_header(True, filename) or "attachment",
            },
            ExpiresIn=expires_seconds,
        )

    def _client(self, endpoint: str, *, checksums: str = "") -> Any:
        import boto3  # import here: costs half a second and 40 MB in processes that never touch a bucket
        from botocore.config import Config  # import here: as above

        return boto3.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=self.region,
            aws_access_key_id=self.access_key or None,
            aws_secret_access_key=self.secret_key or None,
            config=Config(
                # The client's own choice for links is the old signature, which many stores refuse.
                signature_version="s3v4",
                request_checksum_calculation=checksums or self.checksums,
                response_checksum_validation=checksums or self.checksums,
                s3={"addressing_style": self.addressing},
                retries={"max_attempts": 4, "mode": "standard"},
                connect_timeout=5,
                read_timeout=30,
            ),
        )
