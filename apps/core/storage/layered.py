"""Two stores seen as one: new objects go to the first, earlier ones are found in the second."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from apps.core.storage.base import ObjectNotFound, Storage, Stored, StoredObject


class LayeredStorage(Storage):
    """Writes to `own`; reads there, and then in `earlier`, where everything lay before there were two. What is moved
    stays in the store that it lies in.

    Deleting takes an object out of both, or it would be there still: as ever, content that others may name is deleted
    only by who has asked all rows.
    """

    def __init__(self, own: Storage, earlier: Storage) -> None:
        self.own = own
        self.earlier = earlier

    def put(self, key: str, stream: BinaryIO) -> Stored:
        return self.own.put(key, stream)

    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        try:
            return self.own.open(key, offset, length)
        except ObjectNotFound:
            return self.earlier.open(key, offset, length)

    def size(self, key: str) -> int | None:
        found = self.own.size(key)
        return self.earlier.size(key) if found is None else found

    def delete(self, key: str) -> None:
        self.own.delete(key)
        self.earlier.delete(key)

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        own = set()
        for found in self.own.objects(prefix):
            own.add(found.key)
            yield found
        yield from (found for found in self.earlier.objects(prefix) if found.key not in own)

    def folders(self, prefix: str) -> Iterator[str]:
        yield from {*self.own.folders(prefix), *self.earlier.folders(prefix)}

    def local_path(self, key: str) -> Path | None:
        return self._holder(key).local_path(key)

    def take_file(self, source: Path, key: str) -> bool:
        return self.own.take_file(source, key)

    def signed_url(self, key: str, *, filename: str, media_type: str, expires_seconds: int) -> str | None:
        return self._holder(key).signed_url(
            key, filename=filename, media_type=media_type, expires_seconds=expires_seconds
        )

    def move(self, source: str, target: str) -> None:
        self._holder(source).move(source, target)

    def _holder(self, key: str) -> Storage:
        """The store that an object is read from; `own` when there is none."""
        return self.earlier if self.own.size(key) is None and self.earlier.size(key) is not None else self.own
