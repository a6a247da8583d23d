"""The staging folder: plain files under checked paths, written once, hashed while written."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from apps.datasets.archives.limits import Limits
from apps.datasets.archives.paths import PathRules
from apps.datasets.defects import BadInput, Defect, DefectLog

CHUNK = 1 << 18

#: Called with (files done, files in all or None, bytes written).
Progress = Callable[[int, int | None, int], None]

PACKED = (
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a set. `sha256` is None until somebody has read it."""

    path: str
    size: int
    sha256: str | None = None


@dataclass(slots=True)
class Staged:
    """Files under `root`: what every parser reads from."""

    root: Path
    members: list[Member]
    defects: list[Defect] = field(default_factory=list)
    defect_counts: dict[str, int] = field(default_factory=dict)
    #: How a path is written on the disk, where that is not NFC; only folders that were not copied have any.
    spellings: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(member.size for member in self.members)

    def locate(self, path: str) -> Path:
        return self.root / self.spellings.get(path, path)

    def read(self, path: str) -> bytes:
        # Without a buffer, which a hundred thousand small files would each have made.
        with self.locate(path).open("rb", buffering=0) as file:
            return file.read()

    def head(self, path: str, size: int) -> bytes:
        """The file's beginning: a set may hold files that memory does not."""
        with self.locate(path).open("rb") as stream:
            return stream.read(size)

    def digest(self, path: str) -> str:
        with self.locate(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


class Stage:
    """Writes one set into a new folder; as a context manager it removes the folder when anything goes wrong."""

    def __init__(self, root: Path, limits: Limits, progress: Progress | None = None) -> None:
        self.root = root
        self.limits = limits
        self.log = DefectLog()
        self.rules = PathRules(limits, self.log)
        self.members: list[Member] = []
        self.bytes = 0
        self.expected: int | None = None
        self._progress = progress
        self._deadline = time.monotonic() + limits.seconds
        self._made: set[str] = set()

    def __enter__(self) -> Self:
        self.root.mkdir(mode=0o700, parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            shutil.rmtree(self.root, ignore_errors=True)

    def check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise BadInput("archive.too_slow", limit=int(self.limits.seconds))

    def check_count(self, members: int) -> None:
        if members > self.limits.members:
            raise BadInput("archive.too_many_members", members=members, limit=self.limits.members)

    def check_sizes(self, path: str, size: int, total: int) -> None:
        """Refuse a member of `size` bytes, or a set of `total` bytes, that is over the limits."""
        if size > self.limits.member_bytes:
            raise BadInput("archive.member_too_big", path, limit=self.limits.member_bytes)
        if total > self.limits.total_bytes:
            raise BadInput("archive.too_big", path, limit=self.limits.total_bytes)

    def write(self, path: str, chunks: Iterable[bytes]) -> Member:
        """Write the file `path` (already accepted by the rules) from `chunks`, within the limits."""
        parent, _, _ = path.rpartition("/")
        if parent and parent not in self._made:
            (self.root / parent).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._made.add(parent)
        digest = hashlib.sha256()
        size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(f"{self.root}/{path}", flags, 0o600)
        try:
            for chunk in chunks:
                if not size:
                    self.refuse_packed(path, chunk)
                size += len(chunk)
                self.check_sizes(path, size, self.bytes + size)
                self.check_time()
                digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        self.bytes += size
        member = Member(path, size, digest.hexdigest())
        self.members.append(member)
        self.check_count(len(self.members))
        if self._progress is not None:
            self._progress(len(self.members), self.expected, self.bytes)
        return member

    def finish(self) -> Staged:
        """Return the staged set in path order; an empty one is refused."""
        if not self.members:
            raise BadInput("archive.no_members")
        self.members.sort(key=lambda member: member.path)
        return Staged(self.root, self.members, self.log.defects, dict(self.log.counts))

    @staticmethod
    def refuse_packed(path: str, head: bytes) -> None:
        for magic, kind in PACKED:
            if head.startswith(magic):
                raise BadInput("archive.nested", path, kind=kind)
        if head[257:262] == b"ustar":
            raise BadInput("archive.nested", path, kind="TAR")


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of `stream` in chunks."""
    while chunk := stream.read(CHUNK):
        yield chunk
