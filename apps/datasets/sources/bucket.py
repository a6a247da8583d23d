"""Objects of an S3 bucket under a prefix."""

from collections.abc import Iterator
from pathlib import Path

from apps.core.outbound import Bucket
from apps.datasets.sources.base import Found, OnBytes


class BucketSource:
    """`prefix` is a folder of the bucket, the whole of it (""), or a single object."""

    at_once = 8

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/")

    def found(self) -> Iterator[Found]:
        start = f"{self.prefix}/" if self.prefix else ""
        empty = True
        for listed in self.bucket.listed(start):
            empty = False
            # What tools leave behind to show a folder that is empty.
            if not (listed.key.endswith("/") and not listed.size):
                yield Found(listed.key.removeprefix(start), listed.size, f"{listed.mark} {listed.size}", listed.key)
        if not empty or not self.prefix:
            return
        for listed in self.bucket.listed(self.prefix):
            if listed.key == self.prefix:
                name = listed.key.rpartition("/")[2]
                yield Found(name, listed.size, f"{listed.mark} {listed.size}", listed.key)
            return

    def fetch(self, found: Found, target: Path, *, most_bytes: int, on_bytes: OnBytes) -> int:
        return self.bucket.download(found.at, target, most_bytes=most_bytes, on_bytes=on_bytes)
