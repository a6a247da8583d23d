"""Objects as files under one folder."""

import os
import stat
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from apps.core.storage.base import CHUNK, Measured, ObjectNotFound, Storage, Stored, StoredObject


class LocalStorage(Storage):
    """A key is a path under `root`. Writing goes to a temporary file first, so a reader never sees half an object."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, stream: BinaryIO) -> Stored:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        source = Measured(stream)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".incoming-")
        try:
            with os.fdopen(descriptor, "wb") as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return source.stored

    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        try:
            file = self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ObjectNotFound(key) from error
        return self._chunks(file, offset, length)

    def size(self, key: str) -> int | None:
        # One question to the file system, of a hundred thousand objects that are mostly absent.
        try:
            facts = os.lstat(self._place(key))
            return facts.st_size if not stat.S_ISLNK(facts.st_mode) else self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def move(self, source: str, target: str) -> None:
        path = self._path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(self._path(source), path)
        except FileNotFoundError as error:
            raise ObjectNotFound(source) from error

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        base = self._path(prefix) if prefix else self.root
        for folder, _folders, files in os.walk(base):
            for name in files:
                if name.startswith(".incoming-"):
                    continue
                path = Path(folder) / name
                try:
                    facts = path.stat()
                except FileNotFoundError:  # removed meanwhile
                    continue
                yield StoredObject(str(path.relative_to(self.root)), facts.st_size, facts.st_mtime)

    def folders(self, prefix: str) -> Iterator[str]:
        base = self._path(prefix)
        if base.is_dir():
            yield from (path.name for path in base.iterdir() if path.is_dir())

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    def take_file(self, source: Path, key: str) -> bool:
        # Neither linking nor renaming follows what lies under the name.
        target = self._place(key)
        try:
            _linked(source, target)
        except OSError:  # another file system, or one without links
            return False
        return True

    def _place(self, key: str) -> Path:
        """Where the object lies, or would; what lies there may be a link to elsewhere."""
        folder, _slash, name = key.rpartition("/")
        found = _folder(self.root, folder)
        if found is None or name == "..":
            raise ValueError(f"The key {key!r} leaves the store.")
        return found / name

    def _path(self, key: str) -> Path:
        path = self._place(key)
        # The object itself is looked at each time.
        if path.is_symlink() and not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"The key {key!r} leaves the store.")
        return path

    @staticmethod
    def _chunks(file: BinaryIO, offset: int, length: int | None) -> Iterator[bytes]:
        with file:
            file.seek(offset)
            left = length
            while left is None or left > 0:
                chunk = file.read(CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
    except FileExistsError:
        # It is damaged, or somebody stores the same just now.
        temporary = target.parent / f".incoming-{uuid4().hex}"
        os.link(source, temporary)
        try:
            os.replace(temporary, target)
        finally:
            # Replacing does nothing where both were the same file already.
            temporary.unlink(missing_ok=True)


@lru_cache(maxsize=4096)
def _folder(root: Path, folder: str) -> Path | None:
    """A folder of the store without links; None outside of it. Kept: of a hundred thousand objects each asks, and to
    find out takes longer than to read one. Nobody but the portal makes anything here."""
    path, base = (root / folder).resolve(), root.resolve()
    return path if path.is_relative_to(base) else None
