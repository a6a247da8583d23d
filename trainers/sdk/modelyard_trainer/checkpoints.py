"""Writes checkpoints: a new name each time, complete when its marker exists, old ones removed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard_trainer.files import sha256_of, sync, write_atomic

KINDS = ("best", "last", "resume")
KEPT = {"best": 1, "last": 1, "resume": 2}
MARKER = ".complete"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    kind: str
    name: str
    path: Path
    sha256: str
    size: int


class CheckpointWriter:
    """Keeps `<folder>/<kind>-<step>.ckpt` files: the newest two to resume from, the newest best and last."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self._written: dict[str, list[Checkpoint]] = {kind: [] for kind in KINDS}

    def has(self, *kinds: str) -> bool:
        """Whether a complete checkpoint of one of `kinds` was written."""
        return any(self._written[kind] for kind in kinds)

    def write(self, kind: str, write: Callable[[Path], object], *, step: int, suffix: str = ".ckpt") -> Checkpoint:
        """Lets `write(path)` make the file, then completes it: synced, renamed, marked with its SHA-256.

        The path that `write` is given ends in `suffix`. Raises ValueError for an unknown kind and FileNotFoundError
        when `write` left no file; nothing half-written ever bears a checkpoint's name.
        """
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._new_path(kind, step, suffix)
        temporary = path.with_name(f".writing-{path.name}")
        try:
            write(temporary)
            sync(temporary)
            checkpoint = Checkpoint(kind, path.name, path, sha256_of(temporary), temporary.stat().st_size)
            os.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        write_atomic(marker_of(path), checkpoint.sha256.encode())
        self._written[kind].append(checkpoint)
        return checkpoint

    def prune(self, kind: str) -> None:
        """Removes the checkpoints of a kind that newer ones have replaced."""
        written = self._written[kind]
        while len(written) > KEPT[kind]:
            old = written.pop(0)
            # The marker goes first: a file without one does not count, a marker without a file would lie.
            marker_of(old.path).unlink(missing_ok=True)
            old.path.unlink(missing_ok=True)

    def _new_path(self, kind: str, step: int, suffix: str) -> Path:
        path = self.folder / f"{kind}-{step:06d}{suffix}"
        repeat = 2
        while path.exists():
            path = self.folder / f"{kind}-{step:06d}-{repeat}{suffix}"
            repeat += 1
        return path


def marker_of(path: Path) -> Path:
    """The marker that says that the file at `path` is complete; it holds the file's SHA-256."""
    return path.with_name(path.name + MARKER)
