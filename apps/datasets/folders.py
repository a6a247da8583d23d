"""Folders of uploads and exports, below the portal's home. Of an upload:

incoming/       files that are being received, under names of our own
parts/          large files whose parts are being received, each in a folder named after its path's digest
files/          files received, under their paths
staged/         the set that was analysed; taken from files/, or unpacked from the one archive in it
converted/      the same set as DICE, where another library has read it: pictures linked, and one document
items.jsonl     what the analysis found, one file of the set a line: what is published
looks.txt       what its pictures look like: a digest and a look a line
fetched.txt     what an import has brought so far, one file a line
warned.json     the paths that a warning of the analysis names
stored.txt      digests that a publication has put into the store
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings


class UploadFolder:
    def __init__(self, upload_id: UUID | str) -> None:
        self.root = uploads_root() / str(upload_id)
        self.incoming = self.root / "incoming"
        self.parts = self.root / "parts"
        self.files = self.root / "files"
        self.staged = self.root / "staged"
        self.converted = self.root / "converted"
        self.unpacking = self.root / "unpacking"
        self.items = self.root / "items.jsonl"
        self.looks = self.root / "looks.txt"
        self.fetched = self.root / "fetched.txt"
        self.warned = self.root / "warned.json"
        self.stored = self.root / "stored.txt"

    @property
    def analysed(self) -> Path:
        """The set that the analysis is about, and that is published."""
        return self.converted if self.converted.is_dir() else self.staged

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def exports_root() -> Path:
    """Folders named after exports: what a worker has of one until its archive is in the store."""
    return Path(settings.HOME) / "exports"


def uploads_root() -> Path:
    return Path(settings.HOME) / "uploads"


def untouched(root: Path, seconds: float) -> Iterator[Path]:
    """What has lain unchanged in the folder for so many seconds; nothing where there is no such folder. A worker may
    remove any of it meanwhile."""
    for path in root.iterdir() if root.is_dir() else ():
        try:
            is_old = path.stat().st_mtime < time.time() - seconds
        except FileNotFoundError:
            continue
        if is_old:
            yield path
