"""Files that somebody sent straight to the portal's own store, under names of ours."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.core.storage import ObjectNotFound, storage
from apps.datasets.sources.base import Found, OnBytes, SourceError


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as its sender announced it: `digests` are the SHA-256 of its parts of `part_bytes`, the last is shorter."""

    path: str
    size: int
    key: str
    part_bytes: int
    digests: tuple[str, ...]


class DirectSource:
    """Brings only what is, part by part, what was sent. `digests` has the SHA-256 of the whole of what was brought, by
    key."""

    at_once = 2

    def __init__(self, files: Sequence[SentFile]) -> None:
        self.files = {file.key: file for file in files}
        self.digests: dict[str, str] = {}

    def found(self) -> Iterator[Found]:
        for file in self.files.values():
            yield Found(file.path, file.size, file.key, file.key)

    def fetch(self, found: Found, target: Path, *, most_bytes: int, on_bytes: OnBytes) -> int:
        file = self.files[found.at]
        whole, parts, size = hashlib.sha256(), _PartDigests(file), 0
        try:
            chunks = storage().open(file.key, length=file.size + 1)
        except ObjectNotFound as error:
            raise SourceError("object_gone", path=file.path) from error
        with target.open("wb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > most_bytes:
                    raise SourceError("source_changed", path=file.path)
                whole.update(chunk)
                parts.update(chunk)
                out.write(chunk)
                on_bytes(size)
        parts.end()
        self.digests[file.key] = whole.hexdigest()
        return size


class _PartDigests:
    """Compares what goes by with the digests, part after part. Raises `SourceError` at the first that differs."""

    def __init__(self, file: SentFile) -> None:
        self.file = file
        self.number = 1
        self.left = file.part_bytes
        self.digest = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while len(view) >= self.left:
            self.digest.update(view[: self.left])
            view = view[self.left :]
            self._compare()
        self.digest.update(view)
        self.left -= len(view)

    def end(self) -> None:
        if self.left < self.file.part_bytes:
            self._compare()
        if self.number != len(self.file.digests) + 1:
            raise SourceError("source_changed", path=self.file.path)

    def _compare(self) -> None:
        known = self.file.digests[self.number - 1] if self.number <= len(self.file.digests) else ""
        if self.digest.hexdigest() != known:
            raise SourceError("digest_differs", path=self.file.path, part=self.number)
        self.number += 1
        self.left = self.file.part_bytes
        self.digest = hashlib.sha256()
