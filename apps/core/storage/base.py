"""The interface, and what both kinds share."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from apps.core.storage.direct import DirectUploads

CHUNK = 1024 * 1024


class ObjectNotFound(Exception):
    """No object has this key."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What `put` measured while it wrote."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a list says of an object; `modified_at` is in seconds since 1970."""

    key: str
    size: int
    modified_at: float


class Storage(ABC):
    """Keys are relative POSIX paths made by the callers from ids and digests, never from people's input."""

    @abstractmethod
    def put(self, key: str, stream: BinaryIO) -> Stored:
        """Writes the stream under the key, all or nothing; an existing object is replaced."""

    @abstractmethod
    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks. Raises `ObjectNotFound` before the first chunk."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Size in bytes, None when there is no such object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Removes the object; an absent one is no error."""

    @abstractmethod
    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects under a prefix, in no promised order."""

    @abstractmethod
    def folders(self, prefix: str) -> Iterator[str]:
        """Names of what lies directly below the prefix (`blobs/`) and holds objects, in no promised order."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys under a prefix, in no promised order."""
        for found in self.objects(prefix):
            yield found.key

    def local_path(self, key: str) -> Path | None:
        """Where the object lies when it is a file of this machine, else None."""
        return None

    def take_file(self, source: Path, key: str) -> bool:
        """Makes a file of this machine the object, without a copy: both are one file from then on, until `source` is
        removed. An existing object is replaced. False where the store cannot, and then nothing has happened."""
        return False

    def signed_url(self, key: str, *, filename: str, media_type: str, expires_seconds: int) -> str | None:
        """A link by which whoever has it reads this one object, to save it under that name; None where the store gives
        none."""
        return None

    @property
    def direct(self) -> DirectUploads | None:
        """How others send large objects straight to the store; None where they go through the portal."""
        return None

    def read(self, key: str) -> bytes:
        return b"".join(self.open(key))

    @abstractmethod
    def move(self, source: str, target: str) -> None:
        """Renames an object; an existing target is replaced. Raises `ObjectNotFound`."""


class Measured:
    """Wraps a stream; counts and digests what is read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(size)
        self._digest.update(part)
        self.size += len(part)
        return part

    def readable(self) -> bool:
        return True

    @property
    def stored(self) -> Stored:
        return Stored(self.size, self._digest.hexdigest())
