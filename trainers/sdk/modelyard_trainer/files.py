"""Files that are there whole or not at all, and their digests."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: str | os.PathLike[str]) -> None:
    """Brings a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `path` so that a reader sees the old bytes or the new ones, also after a power cut."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)
    sync(target.parent)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as JSON by `write_atomic`."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1).encode())
