"""A folder of this machine, inside one that the administrator allowed.

Nothing is opened by a whole path: each part is opened from the folder above it, and no part may be a link. So neither a
name nor a link that somebody puts there meanwhile leads out.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.datasets.archives import Limits
from apps.datasets.defects import BadInput
from apps.datasets.sources.base import Found, OnBytes, SourceError

CHUNK = 1 << 20
#: Never a place for data, whoever asks.
SYSTEM = tuple(map(Path, ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/run", "/sbin", "/sys", "/usr")))
LISTED = 1000
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: A pipe would be waited for.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies directly in a folder: names of folders, and files with their sizes. `more`: not all are listed."""

    folders: list[str]
    files: list[tuple[str, int]]
    more: bool


class FolderSource:
    """`path` is a folder or a file below `root`; "" is all of it."""

    at_once = 1

    def __init__(self, root: str, path: str) -> None:
        self.root = checked_root(root)
        self.parts = _parts(path)

    def found(self) -> Iterator[Found]:
        if self.parts:
            with _opened(self.root, self.parts[:-1]) as above:
                facts = _facts(above, self.parts[-1])
            if stat.S_ISREG(facts.st_mode):
                yield Found(self.parts[-1], facts.st_size, _mark(facts), "")
                return
        with _opened(self.root, self.parts) as descriptor:
            yield from _walked(descriptor, "", Limits().depth)

    def fetch(self, found: Found, target: Path, *, most_bytes: int, on_bytes: OnBytes) -> int:
        parts = [*self.parts, *(found.at.split("/") if found.at else ())]
        with _opened(self.root, parts[:-1]) as above, os.fdopen(_open(above, parts[-1], FILE), "rb") as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                raise BadInput("path.special", found.path)
            size = 0
            with target.open("wb") as copy:
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    if size > most_bytes:
                        raise SourceError("source_changed", path=found.path)
                    copy.write(chunk)
                    on_bytes(size)
            if _mark(os.fstat(source.fileno())) != found.mark:
                raise SourceError("source_changed", path=found.path)
        return size


def checked_root(path: str) -> str:
    """The path, when such a folder may be allowed and is there. Raises `SourceError`."""
    root = Path(path)
    if not root.is_absolute() or "\0" in path or str(root) != path.rstrip("/") or root == Path("/"):
        raise SourceError("folder_path")
    try:
        resolved = root.resolve(strict=True)
    except OSError as error:
        raise SourceError("folder_missing") from error
    if resolved != root:
        raise SourceError("folder_link")
    if not root.is_dir():
        raise SourceError("folder_missing")
    own = (Path(settings.HOME), Path(settings.CACHE_DIR), Path(settings.BASE_DIR))
    if any(root.is_relative_to(system) for system in SYSTEM) or any(
        root.is_relative_to(mine.resolve()) or mine.resolve().is_relative_to(root) for mine in own
    ):
        raise SourceError("folder_private")
    return str(root)


def entries_of(root: str, path: str) -> Listing:
    """What lies in a folder below the root, links and special files left out. Raises `SourceError`, `BadInput`."""
    folders: list[str] = []
    files: list[tuple[str, int]] = []
    more = False
    with _opened(checked_root(root), _parts(path)) as descriptor, os.scandir(descriptor) as entries:
        for entry in entries:
            if len(folders) + len(files) == LISTED:
                more = True
                break
            if not entry.name.isprintable():
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.append((entry.name, entry.stat(follow_symlinks=False).st_size))
    return Listing(sorted(folders), sorted(files), more)


def _parts(path: str) -> tuple[str, ...]:
    """The names on the way, as the disk spells them; none of them climbs."""
    parts = tuple(part for part in path.split("/") if part)
    if path.startswith("/") or {".", ".."} & set(parts) or "\0" in path:
        raise BadInput("path.traversal", path)
    return parts


@contextmanager
def _opened(root: str, parts: tuple[str, ...] | list[str]) -> Iterator[int]:
    try:
        descriptor = os.open(root, FOLDER)
    except OSError as error:
        raise SourceError("folder_missing") from error
    try:
        for part in parts:
            inner = _open(descriptor, part, FOLDER)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _open(above: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=above)
    except OSError as error:
        if stat.S_ISLNK(_facts(above, name).st_mode):
            raise BadInput("path.link", name) from error
        raise SourceError("folder_unreadable", path=name) from error


def _facts(above: int, name: str) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=above, follow_symlinks=False)
    except OSError as error:
        raise SourceError("folder_gone", path=name) from error


def _mark(facts: os.stat_result) -> str:
    return f"{facts.st_ino} {facts.st_mtime_ns} {facts.st_size}"


def _walked(descriptor: int, prefix: str, depth: int) -> Iterator[Found]:
    with os.scandir(descriptor) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        relative = f"{prefix}{name}"
        facts = _facts(descriptor, name)
        if stat.S_ISLNK(facts.st_mode):
            raise BadInput("path.link", relative)
        if stat.S_ISREG(facts.st_mode):
            yield Found(relative, facts.st_size, _mark(facts), relative)
        elif not stat.S_ISDIR(facts.st_mode):
            raise BadInput("path.special", relative)
        elif not depth:
            raise BadInput("path.deep", relative, depth=relative.count("/") + 2, limit=Limits().depth)
        else:
            inner = _open(descriptor, name, FOLDER)
            try:
                yield from _walked(inner, f"{relative}/", depth - 1)
            finally:
                os.close(inner)
